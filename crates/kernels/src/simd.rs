//! One source, compiled for several instruction sets, chosen at run time.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod vector;

use std::{
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

pub(crate) use vector::{Plain, Vector, power_below};

/// What an instruction set is good at.
pub(crate) trait MulAdd {
    /// Sixteen numbers as it holds them.
    type Vector: Vector;

    /// Returns `a * b + c`, rounded once where the processor does so in one instruction.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

/// AVX-512.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Wide;

#[cfg(target_arch = "x86_64")]
impl MulAdd for Wide {
    type Vector = avx512::Vector512;

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// AVX2 and FMA.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Narrow;

#[cfg(target_arch = "x86_64")]
impl MulAdd for Narrow {
    type Vector = avx2::Vector256;

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// Others that multiply and add in one instruction.
#[cfg(target_arch = "aarch64")]
pub(crate) struct Fused;

#[cfg(target_arch = "aarch64")]
impl MulAdd for Fused {
    type Vector = Plain<Self>;

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }
}

/// Those that do so in two steps: without the instruction, `f32::mul_add` is a slow call.
pub(crate) struct Apart;

impl MulAdd for Apart {
    type Vector = Plain<Self>;

    #[inline(always)]
    fn mul_add(a: f32, b: f32, c: f32) -> f32 {
        a * b + c
    }
}

/// Defines a function that runs `body::<M>` compiled for the best instruction set there is.
macro_rules! dispatch {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? = $body:ident) => {
        $(#[$doc])*
        $vis fn $name($($arg: $ty),*) $(-> $out)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
                fn v4($($arg: $ty),*) $(-> $out)? {
                    $body::<$crate::simd::Wide>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn v3($($arg: $ty),*) $(-> $out)? {
                    $body::<$crate::simd::Narrow>($($arg),*)
                }
                if $crate::simd::has_v4() {
                    // SAFETY: the processor was asked for every feature named above.
                    return unsafe { v4($($arg),*) };
                }
                if $crate::simd::has_v3() {
                    // SAFETY: as above.
                    return unsafe { v3($($arg),*) };
                }
                $body::<$crate::simd::Apart>($($arg),*)
            }
            #[cfg(target_arch = "aarch64")]
            {
                $body::<$crate::simd::Fused>($($arg),*)
            }
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            {
                $body::<$crate::simd::Apart>($($arg),*)
            }
        }
    };
}
pub(crate) use dispatch;

static HELD_TO_AVX2: AtomicBool = AtomicBool::new(false);

/// From now on uses nothing that came after AVX2, to measure or to test on a newer processor how an older
/// one does.
pub fn hold_to_avx2() {
    HELD_TO_AVX2.store(true, Ordering::Relaxed);
}

/// Whether what came after AVX2 may be used.
#[cfg(target_arch = "x86_64")]
pub(crate) fn is_free() -> bool {
    !HELD_TO_AVX2.load(Ordering::Relaxed)
}

/// Returns whether the processor has the 512-bit vectors that [`dispatch`] uses.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_v4() -> bool {
    is_free()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && has_v3()
}

/// Returns whether AMD made the processor.
#[cfg(target_arch = "x86_64")]
pub(crate) fn made_by_amd() -> bool {
    let vendor = std::arch::x86_64::__cpuid(0);
    let words = [vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes);
    words.as_flattened() == b"AuthenticAMD"
}

/// Returns whether the processor has the 256-bit vectors that [`dispatch`] uses.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_v3() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// Numbers of one vector.
pub(crate) const LANES: usize = 16;

/// Cuts `count` into parts of about equal length, none above `most`; tells where each starts and ends.
pub(crate) fn evenly(count: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let parts = count.div_ceil(most);
    (0..parts).map(move |part| part * count / parts..(part + 1) * count / parts)
}

/// Returns the sum of `f(a, b)` over two slices of one length, always in the same order.
#[inline(always)]
pub(crate) fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            lanes[lane] = f(x[lane], y[lane], lanes[lane]);
        }
    }
    let mut sum = 0.0;
    for lane in lanes {
        sum += lane;
    }
    for (x, y) in a_rest.iter().zip(b_rest) {
        sum = f(*x, *y, sum);
    }
    sum
}

/// Returns `e^x` to about two units in the last place, without branches; inputs are held to ±87.
#[inline(always)]
pub(crate) fn exp<M: MulAdd>(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to a whole number in every instruction set.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    let shifted = M::mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, so that the remainder is exact.
    let r = M::mul_add(n, -0.693_359_4, x);
    let r = M::mul_add(n, 2.121_944_4e-4, r);
    // Cephes' polynomial.
    let p = M::mul_add(r, 1.987_569_1e-4, 1.398_199_9e-3);
    let p = M::mul_add(r, p, 8.333_452e-3);
    let p = M::mul_add(r, p, 4.166_579_6e-2);
    let p = M::mul_add(r, p, 1.666_666_5e-1);
    let p = M::mul_add(r, p, 0.5);
    let p = M::mul_add(r * r, p, r + 1.0);
    // The whole number stands in the last bits of the shifted one; it becomes the exponent.
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// Returns the nearest f32, for tests that count in f64.
#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "that is its purpose")]
pub(crate) fn narrow(x: f64) -> f32 {
    x as f32
}
