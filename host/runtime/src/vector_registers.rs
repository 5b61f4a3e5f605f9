//! Clears the upper halves of the vector registers before a guest runs.
//!
//! A guest's vector code is compiled to instructions that use the lower half of a register. If other code on the same thread
//! used AVX and left something in the upper halves, each of these instructions also has to preserve it, and decoding and
//! resizing a picture takes several times as long (Intel 64 and IA-32 Architectures Optimization Reference Manual,
//! "Mixing AVX Code with SSE Code"). Compilers clear the upper halves at the end of a function, but not before every jump to
//! another one.

use std::future::poll_fn;
use std::pin::pin;

/// Returns the result of `guest`. Clears the upper halves of the vector registers each time before it goes on.
pub(crate) async fn with_clean_registers<T>(guest: impl Future<Output = T>) -> T {
    let mut guest = pin!(guest);
    poll_fn(|context| {
        clear_upper_halves();
        guest.as_mut().poll(context)
    })
    .await
}

#[cfg(target_arch = "x86_64")]
fn clear_upper_halves() {
    #[target_feature(enable = "avx")]
    fn clear() {
        std::arch::x86_64::_mm256_zeroupper();
    }
    if is_x86_feature_detected!("avx") {
        // SAFETY: the processor has AVX. No value of this program is in the upper halves across a call of a function.
        unsafe { clear() };
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn clear_upper_halves() {}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use std::arch::asm;
    use std::arch::x86_64::__cpuid_count;

    /// Returns whether the upper halves are in use; `None` if the processor cannot tell (XGETBV with ECX = 1).
    fn in_use() -> Option<bool> {
        if !is_x86_feature_detected!("avx") || __cpuid_count(0xd, 1).eax & 4 == 0 {
            return None;
        }
        let state: u32;
        // SAFETY: the processor has this form of the instruction, which reads a register of its own.
        unsafe { asm!("xgetbv", in("ecx") 1, out("eax") state, out("edx") _, options(nomem, nostack)) };
        Some(state & 4 != 0)
    }

    #[tokio::test]
    async fn a_guest_begins_with_clean_registers() {
        let Some(_) = in_use() else { return };
        // SAFETY: writes one register, which is declared.
        unsafe { asm!("vpcmpeqd ymm15, ymm15, ymm15", out("ymm15") _, options(nomem, nostack)) };
        let before = in_use();
        assert_eq!(with_clean_registers(async { in_use() }).await, Some(false));
        assert_eq!(before, Some(true), "the test has to make them dirty first");
    }
}
