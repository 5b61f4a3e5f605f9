/* What this stage computes. It knows neither the host nor WebAssembly, so `make test` tests it natively. */
#ifndef ENTROPY_H
#define ENTROPY_H

#include <stddef.h>
#include <stdint.h>

/* How often each byte occurs in what has been added so far. All zeros before the first byte. */
struct byte_counts {
  uint64_t of[256];
  uint64_t total;
};

/* Adds bytes, of which there may be none. */
void byte_counts_add(struct byte_counts *counts, const uint8_t *bytes, size_t length);

/* The Shannon entropy in thousandths of a bit for each byte, 0 to 8000; 0 without any byte. A compressed file is near 8000, and a
 * file that a ZIP archive would make much smaller is far below. */
uint32_t byte_counts_entropy(const struct byte_counts *counts);

#endif
