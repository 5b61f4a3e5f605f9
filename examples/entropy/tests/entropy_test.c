/* Tests of what the stage computes, run natively by `make test`. */

#include <stdio.h>
#include <string.h>

#include "../src/entropy.h"

static int failures;

static void expect(const char *what, uint32_t found, uint32_t expected) {
  if (found == expected) return;
  printf("%s: found %u, expected %u\n", what, (unsigned)found, (unsigned)expected);
  failures++;
}

static uint32_t entropy_of(const void *bytes, size_t length) {
  struct byte_counts counts = {0};
  byte_counts_add(&counts, bytes, length);
  return byte_counts_entropy(&counts);
}

int main(void) {
  uint8_t all[256];
  for (int byte = 0; byte < 256; byte++) all[byte] = (uint8_t)byte;
  expect("every byte once is 8 bits a byte", entropy_of(all, sizeof all), 8000);
  expect("one byte again and again is 0 bits", entropy_of("aaaaaaaa", 8), 0);
  expect("no bytes are 0 bits", entropy_of("", 0), 0);
  expect("two bytes equally often are 1 bit", entropy_of("abab", 4), 1000);
  /* 3/4 and 1/4: 0.75 * log2(4/3) + 0.25 * 2 */
  expect("an uneven share", entropy_of("aaab", 4), 811);

  struct byte_counts windows = {0};
  byte_counts_add(&windows, (const uint8_t *)"aa", 2);
  byte_counts_add(&windows, (const uint8_t *)"ab", 2);
  expect("windows count together", byte_counts_entropy(&windows), 811);

  printf("%s\n", failures == 0 ? "all passed" : "some failed");
  return failures != 0;
}
