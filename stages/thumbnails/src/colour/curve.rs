//! The curve of sRGB (IEC 61966-2-1).

/// Returns the encoded value, from 0 to 1, of linear light from 0 to 1.
pub fn srgb_encoded(light: f64) -> f64 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// Returns the linear light, from 0 to 1, of an encoded value.
pub fn srgb_light(encoded: f64) -> f64 {
    if encoded <= 0.040_45 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) }
}
