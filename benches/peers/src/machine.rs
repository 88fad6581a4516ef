//! The machine: what it is, and how the process is kept to one thread of it.

use std::fs;

use anyhow::{Context, Result, ensure};

/// Flags of processors that decide which kernels run.
const FLAGS: [&str; 9] = [
    "avx2",
    "fma",
    "avx_vnni",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
];

/// Keeps this process, and the child it starts, to one processor, and candle's pool to one
/// thread.
pub(crate) fn keep_to_one_thread() -> Result<()> {
    // SAFETY: nothing else runs yet that could read the environment.
    unsafe { std::env::set_var("RAYON_NUM_THREADS", "1") };
    rayon::ThreadPoolBuilder::new().num_threads(1).build_global()?;
    keep_to_one_processor()
}

#[cfg(target_os = "linux")]
fn keep_to_one_processor() -> Result<()> {
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: a set of processors is plain bits, and none of them set is a set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a set of the size given.
    let failed = unsafe { libc::sched_getaffinity(0, size, &raw mut set) };
    ensure!(failed == 0, "the process' processors cannot be read");
    let allowed = |cpu: &usize| {
        // SAFETY: the number is within the set.
        unsafe { libc::CPU_ISSET(*cpu, &set) }
    };
    // The last one: interrupts tend to go to the first.
    let cpu = (0..8 * size).rev().find(allowed).context("the process has no processor")?;
    // SAFETY: the number is within the set, and the pointer is to a set of the size given.
    let failed = unsafe {
        libc::CPU_ZERO(&mut set);
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size, &raw const set)
    };
    ensure!(failed == 0, "the process cannot be kept to processor {cpu}");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn keep_to_one_processor() -> Result<()> {
    Ok(())
}

/// Returns the processor's name and flags, as Linux tells them.
pub(crate) fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = info.lines().find(|line| line.split(':').next().unwrap_or("").trim() == key);
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    };
    let (name, family, model) = (value("model name"), value("cpu family"), value("model"));
    let there: Vec<&str> = value("flags").split(' ').filter(|flag| FLAGS.contains(flag)).collect();
    format!("{name}, family {family} model {model}: {}", there.join(" "))
}
