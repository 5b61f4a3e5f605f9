/* What the host calls. The functions and types are those of bindings/stage.h, which wit-bindgen has made from wit/. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bindings/stage.h"
#include "entropy.h"

/* The most bytes that are read at once. The host allows 8 MiB. */
#define WINDOW (1 << 20)
/* The attribute that this stage adds, and its form: bits for each byte, with three digits. */
#define NAME "entropy"

typedef exports_toq_media_asset_stage_asset_t asset_t;
typedef exports_toq_media_asset_stage_failure_t failure_t;

/* Counts the bytes of the file. Returns whether it could; if not, `failure` is that of the host, which is the stage's too. */
static bool count(const asset_t *asset, struct byte_counts *counts, failure_t *failure) {
  stage_string_t key = asset->key, etag = asset->etag.val;
  toq_media_objects_own_object_t object;
  /* With the entity tag, a file that was replaced meanwhile is a `mismatch` and not a wrong result. */
  if (!toq_media_objects_static_object_open(&key, asset->etag.is_some ? &etag : NULL, &object, failure)) return false;
  bool good = true;
  for (uint64_t at = 0;;) {
    stage_list_u8_t window;
    good = toq_media_objects_method_object_read(toq_media_objects_borrow_object(object), at, WINDOW, &window, failure);
    if (!good) break;
    byte_counts_add(counts, window.ptr, window.len);
    at += window.len;
    size_t length = window.len;
    stage_list_u8_free(&window);
    if (length == 0) break;
  }
  toq_media_objects_object_drop_own(object);
  return good;
}

static bool is_entropy(const stage_tuple2_string_string_t *attribute) {
  return attribute->f0.len == strlen(NAME) && memcmp(attribute->f0.ptr, NAME, strlen(NAME)) == 0;
}

/* Adds the attribute, or replaces its value. */
static void set_entropy(asset_t *asset, uint32_t thousandths) {
  char text[16];
  snprintf(text, sizeof text, "%u.%03u", (unsigned)(thousandths / 1000), (unsigned)(thousandths % 1000));
  for (size_t i = 0; i < asset->attributes.len; i++) {
    if (!is_entropy(&asset->attributes.ptr[i])) continue;
    stage_string_free(&asset->attributes.ptr[i].f1);
    stage_string_dup(&asset->attributes.ptr[i].f1, text);
    return;
  }
  size_t length = asset->attributes.len + 1;
  stage_tuple2_string_string_t *all = realloc(length == 1 ? NULL : asset->attributes.ptr, length * sizeof *all);
  if (all == NULL) abort(); /* The pin's memory is used up, and the host says so. */
  stage_string_dup(&all[length - 1].f0, NAME);
  stage_string_dup(&all[length - 1].f1, text);
  asset->attributes.ptr = all;
  asset->attributes.len = length;
}

bool exports_toq_media_asset_stage_process(exports_toq_media_asset_stage_context_t *ctx, asset_t *asset, asset_t *ret,
                                           failure_t *err) {
  exports_toq_media_asset_stage_context_free(ctx);
  struct byte_counts counts = {0};
  if (!count(asset, &counts, err)) {
    exports_toq_media_asset_stage_asset_free(asset);
    return false;
  }
  set_entropy(asset, byte_counts_entropy(&counts));
  *ret = *asset; /* Everything in it belongs to the caller from now on. */
  return true;
}
