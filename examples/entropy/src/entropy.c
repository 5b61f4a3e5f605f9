#include "entropy.h"

#include <math.h>

void byte_counts_add(struct byte_counts *counts, const uint8_t *bytes, size_t length) {
  for (size_t at = 0; at < length; at++) counts->of[bytes[at]]++;
  counts->total += length;
}

uint32_t byte_counts_entropy(const struct byte_counts *counts) {
  double bits = 0;
  for (int byte = 0; byte < 256; byte++) {
    if (counts->of[byte] == 0) continue;
    double share = (double)counts->of[byte] / (double)counts->total;
    bits -= share * log2(share);
  }
  return (uint32_t)lround(bits * 1000);
}
