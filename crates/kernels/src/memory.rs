//! How freed memory is kept.

/// Tells glibc's allocator to keep large freed blocks for the next step instead of handing them back
/// to the system, where every step would fetch and clear them anew: a third of the time of training.
/// Elsewhere it does nothing.
pub fn keep_freed_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets numbers of the allocator; it may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        libc::mallopt(libc::M_TOP_PAD, 64 << 20);
        // One heap for all threads: what one frees the other takes.
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
