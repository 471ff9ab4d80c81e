//! The terminal, taken over and given back as it was: on the way out, on a panic, on a signal, and while the
//! shell has it after Ctrl-Z.

use std::io::{self, Stdout, Write, stdout};
use std::os::fd::AsFd;
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::event::{self, Event, KeyEvent};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// So often a terminal without a word is asked whether it is still there.
const STILL_THERE: Duration = Duration::from_secs(2);

/// What happens while nothing is drawn.
pub(super) enum Happening {
    Key(KeyEvent),
    /// Something to draw anew: another size, or the terminal is ours again.
    Redraw,
    /// The terminal is gone.
    Gone,
}

/// The terminal for as long as it is ours.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    happenings: Receiver<Received>,
}

enum Received {
    Event(Event),
    Signal(i32),
    Gone,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn take() -> io::Result<Screen> {
        // Before anything of the terminal is changed: a signal that comes now is answered afterwards.
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT])?;
        let (tell, happenings) = channel();
        let tell_signals = tell.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            for signal in signals.forever() {
                if tell_signals.send(Received::Signal(signal)).is_err() {
                    return;
                }
            }
        })?;
        give_back_on_panic();
        take_over()?;
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        let screen = Screen { terminal, happenings };
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            loop {
                let received = event::read().map_or(Received::Gone, Received::Event);
                let is_last = matches!(received, Received::Gone);
                if tell.send(received).is_err() || is_last {
                    return;
                }
            }
        })?;
        Ok(screen)
    }

    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame.buffer_mut()))?;
        Ok(())
    }

    /// Draws every cell again the next time. `Terminal::clear` would ask the terminal where its cursor is,
    /// and the answer would come to the thread that reads keys.
    pub(super) fn forget(&mut self) -> io::Result<()> {
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(())
    }

    /// Waits for what happens next. Does not return where a signal ends the process.
    pub(super) fn next(&mut self) -> io::Result<Happening> {
        loop {
            let received = match self.happenings.recv_timeout(STILL_THERE) {
                Ok(received) => received,
                Err(RecvTimeoutError::Timeout) if is_there() => continue,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Received::Gone,
            };
            if let Some(happening) = self.understand(received)? {
                return Ok(happening);
            }
        }
    }

    /// What has happened already, without waiting.
    pub(super) fn next_at_hand(&mut self) -> io::Result<Option<Happening>> {
        while let Ok(received) = self.happenings.try_recv() {
            if let Some(happening) = self.understand(received)? {
                return Ok(Some(happening));
            }
        }
        Ok(None)
    }

    /// Stops this process and those that it was started with, as Ctrl-Z does everywhere. It comes back here
    /// as a signal.
    pub(super) fn suspend(&self) -> io::Result<()> {
        Ok(kill(Pid::from_raw(0), Signal::SIGTSTP)?)
    }

    fn understand(&mut self, received: Received) -> io::Result<Option<Happening>> {
        Ok(match received {
            Received::Gone => Some(Happening::Gone),
            Received::Event(Event::Key(key)) => Some(Happening::Key(key)),
            Received::Event(Event::Resize(..)) => Some(Happening::Redraw),
            Received::Event(_) => None,
            Received::Signal(SIGTSTP) => {
                give_back();
                raise(Signal::SIGSTOP)?;
                // Here again after SIGCONT, which arrives as a signal of its own.
                None
            }
            Received::Signal(SIGCONT) => {
                // The shell may have set modes of its own meanwhile.
                give_back();
                take_over()?;
                self.forget()?;
                Some(Happening::Redraw)
            }
            Received::Signal(signal) => {
                give_back();
                emulate_default_handler(signal)?;
                Some(Happening::Gone)
            }
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take_over() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, Hide)
}

/// As it was before. Who cannot be told has no terminal to be restored.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), Show, LeaveAlternateScreen);
        let _ = stdout().flush();
        let _ = disable_raw_mode();
    }
}

/// The message of a panic belongs on the screen that stays.
fn give_back_on_panic() {
    let before = panic::take_hook();
    let drawing = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() == drawing {
            give_back();
        }
        before(info);
    }));
}

/// Whether the terminal at standard input has not been hung up.
fn is_there() -> bool {
    let stdin = io::stdin();
    let mut asked = [PollFd::new(stdin.as_fd(), PollFlags::empty())];
    match poll(&mut asked, PollTimeout::ZERO) {
        Ok(_) => asked[0]
            .revents()
            .is_none_or(|found| !found.intersects(PollFlags::POLLHUP | PollFlags::POLLERR)),
        Err(_) => true,
    }
}
