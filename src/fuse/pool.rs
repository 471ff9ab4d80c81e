//! Threads for what takes long, so that the next request never waits behind an inflation.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

type Job = Box<dyn FnOnce() + Send>;

/// A few threads, started with the first job. They end when the value is dropped, their jobs done.
pub(super) struct Pool {
    shared: Arc<Shared>,
    threads: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    idle: usize,
    started: usize,
    closed: bool,
}

impl Pool {
    pub(super) fn new(threads: usize) -> Pool {
        Pool {
            shared: Arc::default(),
            threads,
        }
    }

    /// Has a job done soon; does it at once where no thread can be had.
    pub(super) fn give(&self, job: impl FnOnce() + Send + 'static) {
        let mut queue = self.shared.queue.lock();
        if queue.idle == 0 && queue.started < self.threads && self.start() {
            queue.started += 1;
        }
        if queue.started == 0 {
            drop(queue);
            return job();
        }
        queue.jobs.push_back(Box::new(job));
        drop(queue);
        self.shared.wake.notify_one();
    }

    fn start(&self) -> bool {
        let shared = Arc::clone(&self.shared);
        thread::Builder::new()
            .name("pool".to_owned())
            .spawn(move || shared.work())
            .is_ok()
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
                queue.idle += 1;
                self.wake.wait(&mut queue);
                queue.idle -= 1;
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
