//! What the processes of a daemon cost: CPU time and memory, of all of them together.

use std::fs;
use std::time::Duration;

use nix::time::ClockId;
use nix::unistd::Pid;

/// One look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time of all threads, also of those that have ended.
    pub cpu: Duration,
    /// Resident memory now, in octets.
    pub resident: u64,
    /// The most there ever was.
    pub peak: u64,
}

impl Usage {
    /// Of these processes and all their children. One that has ended counts for nothing.
    pub fn of(roots: &[u32]) -> Self {
        let mut sum = Self::default();
        let mut left = roots.to_vec();
        while let Some(pid) = left.pop() {
            left.extend(children(pid));
            sum.cpu += cpu(pid);
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            sum.resident += kib(&status, "VmRSS:") * 1024;
            sum.peak += kib(&status, "VmHWM:") * 1024;
        }
        sum
    }
}

/// The CPU-time clock of the process, which counts in nanoseconds where /proc/PID/stat counts in
/// hundredths of a second.
fn cpu(pid: u32) -> Duration {
    let clock = i32::try_from(pid)
        .ok()
        .and_then(|pid| ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).ok());
    clock
        .and_then(|clock| clock.now().ok())
        .map(Duration::from)
        .unwrap_or_default()
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let lists = tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            let numbers = list.split_whitespace().map(str::parse);
            numbers.flatten().collect::<Vec<u32>>()
        })
        .collect()
}

fn kib(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.trim().strip_suffix("kB"));
    number.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_memory() {
        let me = [std::process::id()];
        let before = Usage::of(&me);
        let until = before.cpu + Duration::from_millis(30);
        let mut memory = Vec::new();
        while Usage::of(&me).cpu < until {
            memory.extend_from_slice(&[1u8; 65536]);
        }
        let after = Usage::of(&me);
        assert!(after.peak >= after.resident && after.resident > 0);
        assert!(after.peak >= before.peak);
        assert!(!memory.is_empty());
    }
}
