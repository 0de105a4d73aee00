//! Memory that is no longer used goes back to the system.
//!
//! The C library keeps freed memory for itself; after a large withdrawal that would be most of
//! the table.

/// Gives back what the allocator holds without need. Takes some milliseconds per hundred
/// megabytes, so only after something large went away.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` has no precondition; it locks the allocator's arenas itself.
    unsafe {
        libc::malloc_trim(0);
    }
}
