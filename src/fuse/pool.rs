//! Threads for what takes long, so that the next request never waits behind an inflation.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

type Job = Box<dyn FnOnce() + Send>;

/// A few threads. They end when the value is dropped, their jobs done.
pub(super) struct Pool {
    shared: Arc<Shared>,
    has_threads: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Pool {
    /// Starts `threads` threads, at once: they would inherit the core that a thread which answers requests
    /// is bound to.
    pub(super) fn new(threads: usize) -> Pool {
        let shared: Arc<Shared> = Arc::default();
        let start = |_| {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("pool".to_owned())
                .spawn(move || shared.work())
                .is_ok()
        };
        let has_threads = (0..threads).map(start).filter(|started| *started).count() > 0;
        Pool { shared, has_threads }
    }

    /// Has a job done soon; does it at once where no thread could be had.
    pub(super) fn give(&self, job: impl FnOnce() + Send + 'static) {
        if !self.has_threads {
            return job();
        }
        self.shared.queue.lock().jobs.push_back(Box::new(job));
        self.shared.wake.notify_one();
    }
}

impl Shared {
    fn work(&self) {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                job();
                queue = self.queue.lock();
            } else if queue.closed {
                return;
            } else {
                self.wake.wait(&mut queue);
            }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::channel;

    #[test]
    fn jobs_run_side_by_side() {
        let (pool, both) = (Pool::new(2), Arc::new(Barrier::new(3)));
        for _ in 0..2 {
            let both = Arc::clone(&both);
            pool.give(move || {
                both.wait();
            });
        }
        both.wait();
    }

    #[test]
    fn every_job_is_done_once_also_when_the_pool_goes_away() {
        let (pool, (sender, done)) = (Pool::new(2), channel());
        for i in 0..100 {
            let sender = sender.clone();
            pool.give(move || sender.send(i).unwrap());
        }
        drop((pool, sender));
        let mut all: Vec<i32> = done.iter().collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn without_threads_a_job_is_done_at_once() {
        let (sender, done) = channel();
        Pool::new(0).give(move || sender.send(1).unwrap());
        assert_eq!(done.try_recv(), Ok(1));
    }
}
