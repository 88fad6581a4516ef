//! How memory is laid out and kept.

/// Numbers that begin a cache line, so that no vector lies across two; kept from one use to the next.
#[derive(Debug, Default)]
pub struct Aligned {
    /// With room for the numbers before the first line.
    numbers: Vec<f32>,
    len: usize,
}

/// Numbers of a cache line.
const LINE: usize = 16;

impl Aligned {
    /// Returns room for `len` numbers, whatever they are, in place of what was there.
    pub fn room(&mut self, len: usize) -> &mut [f32] {
        if self.numbers.len() < len + LINE {
            self.numbers.resize(len + LINE, 0.0);
        }
        self.len = len;
        let first = self.first();
        &mut self.numbers[first..first + len]
    }

    /// Returns what was put there.
    #[must_use]
    pub fn there(&self) -> &[f32] {
        &self.numbers[self.first()..][..self.len]
    }

    fn first(&self) -> usize {
        // Beyond a line only where addresses cannot be told, which then are as good as any.
        self.numbers.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE)
    }
}

/// Asks the system to hold a vector's memory, not written to yet, in large pages where it can: to find out
/// where a page lies can cost more than to fetch what is there. Elsewhere it does nothing.
pub fn advise_large_pages<T>(memory: &mut Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 4096;
        let first = memory.as_mut_ptr().cast::<u8>();
        let skip = first.align_offset(PAGE);
        let len = (memory.capacity() * size_of::<T>()).saturating_sub(skip) / PAGE * PAGE;
        if len > 0 {
            // SAFETY: the pages lie within the vector's own memory, and only how they are held changes.
            unsafe { libc::madvise(first.wrapping_add(skip).cast(), len, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = memory;
}

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
