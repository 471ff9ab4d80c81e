//! How a command fails: one message, what to do next, and the exit status that says which kind it was.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use super::printable::printable;
use crate::archive::ArchiveError;
use crate::fuse::{AttachError, MountsError, RingsError, SessionError, UnmountError};
use crate::stack::StackError;
use crate::store::StoreError;
use crate::template::TemplateError;

/// What stops a command.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    hint: Option<String>,
    class: Class,
    broken_pipe: bool,
}

/// The documented exit statuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// 1: the answer is no. What was asked for is not there.
    No = 1,
    /// 2: the words make no sense together.
    Usage = 2,
    /// 3: a layer cannot be used.
    Layer = 3,
    /// 4: the mount point cannot be used.
    MountPoint = 4,
    /// 5: FUSE or namespaces are not to be had.
    Unavailable = 5,
    /// 6: anything else.
    Trouble = 6,
}

impl Failure {
    pub(super) fn new(class: Class, message: impl Display) -> Failure {
        Failure {
            message: sayable(&message.to_string()),
            hint: None,
            class,
            broken_pipe: false,
        }
    }

    /// An archive that cannot be used.
    pub(super) fn of_archive(error: &ArchiveError) -> Failure {
        Failure::new(Class::Layer, error).maybe_hint(error.hint())
    }

    /// What another process of this program failed with: its [`text`](Failure::text), hint and all.
    pub(super) fn relayed(text: String) -> Failure {
        Failure {
            message: text,
            hint: None,
            class: Class::Trouble,
            broken_pipe: false,
        }
    }

    /// Adds what the user can do next.
    pub(super) fn hint(mut self, hint: impl Display) -> Failure {
        self.hint = Some(sayable(&hint.to_string()));
        self
    }

    fn maybe_hint(self, hint: Option<&'static str>) -> Failure {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// The same, with another exit status.
    pub(super) fn of_class(self, class: Class) -> Failure {
        Failure { class, ..self }
    }

    /// The same, with where it came up before the message.
    pub(super) fn within(self, place: impl Display) -> Failure {
        Failure {
            message: sayable(&format!("{place}: {}", self.message)),
            ..self
        }
    }

    /// Whether it is only that nobody reads the output any more.
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.broken_pipe
    }

    /// Message and hint, as they are printed.
    pub(super) fn text(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}\n  hint: {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// Prints the failure and gives its exit status.
    pub(super) fn report(self) -> ExitCode {
        let status = self.class as u8;
        self.report_as(status)
    }

    /// Prints the failure and gives the exit status of a command that counts otherwise.
    pub(super) fn report_as(self, status: u8) -> ExitCode {
        eprintln!("optfs: {}", self.text());
        ExitCode::from(status)
    }
}

/// One line, whatever the names in it hold, and without the number behind what the system said.
pub(super) fn sayable(message: &str) -> String {
    let is_number = |text: &str| text.strip_suffix(')').is_some_and(|n| n.parse::<i32>().is_ok());
    let said = match message.rsplit_once(" (os error ") {
        Some((said, number)) if is_number(number) => said,
        _ => message,
    };
    printable(said.as_bytes()).into_owned()
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Failure {
        Failure::of_archive(&error)
    }
}

impl From<StackError> for Failure {
    fn from(error: StackError) -> Failure {
        Failure::new(Class::Layer, error)
    }
}

impl From<AttachError> for Failure {
    fn from(error: AttachError) -> Failure {
        let class = match &error {
            AttachError::Mount { .. } | AttachError::Mountpoint { .. } => Class::MountPoint,
            AttachError::DeviceMissing
            | AttachError::DeviceWrong
            | AttachError::DeviceForbidden(_)
            | AttachError::HelperMissing
            | AttachError::Helper(_) => Class::Unavailable,
        };
        Failure::new(class, &error).maybe_hint(error.hint())
    }
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Failure {
        Failure::new(Class::Unavailable, error)
    }
}

impl From<RingsError> for Failure {
    fn from(error: RingsError) -> Failure {
        Failure::new(Class::Unavailable, &error).hint(error.hint())
    }
}

impl From<MountsError> for Failure {
    fn from(error: MountsError) -> Failure {
        Failure::new(Class::Trouble, error)
    }
}

impl From<UnmountError> for Failure {
    fn from(error: UnmountError) -> Failure {
        let class = match &error {
            UnmountError::Busy(_) | UnmountError::Refused { .. } => Class::MountPoint,
            UnmountError::HelperMissing => Class::Unavailable,
        };
        let failure = Failure::new(class, &error);
        match &error {
            UnmountError::HelperMissing => failure.hint("install the package fuse3, or unmount as root"),
            UnmountError::Busy(mountpoint) => failure.hint(format_args!(
                "'fuser -vm {0}' shows who uses it; 'optfs umount --lazy {0}' lets them finish",
                mountpoint.display()
            )),
            UnmountError::Refused { .. } => failure,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let class = match &error {
            StoreError::Invalid(_) => Class::Usage,
            StoreError::Parameter { .. } | StoreError::Unpackable { .. } => Class::Layer,
            StoreError::NotFound(_) | StoreError::Conflict(_) | StoreError::Precondition(_) => Class::No,
            StoreError::Denied(_)
            | StoreError::PolicyLength(_)
            | StoreError::CodeStorage(_)
            | StoreError::TooLarge(_)
            | StoreError::Object(_) => Class::Layer,
            StoreError::Io { .. }
            | StoreError::NotAStore(_)
            | StoreError::Format { .. }
            | StoreError::Damaged { .. } => Class::Trouble,
        };
        let failure = Failure::new(class, &error);
        match error {
            StoreError::Parameter {
                because: Some(because),
                ..
            } => failure.hint(because),
            StoreError::NotAStore(_) => {
                failure.hint("name a directory of its own with --store DIR; it is made when it is not there")
            }
            StoreError::Format { .. } => failure.hint("use the optfs that made it"),
            StoreError::Damaged { .. } => failure.hint("put the file back as it was, or remove it"),
            _ => failure,
        }
    }
}

impl From<TemplateError> for Failure {
    fn from(error: TemplateError) -> Failure {
        let failure = Failure::new(Class::Layer, &error);
        match error.advice() {
            Some(advice) => failure.hint(advice),
            None => failure,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let broken_pipe = error.kind() == io::ErrorKind::BrokenPipe;
        Failure {
            broken_pipe,
            ..Failure::new(Class::Trouble, error)
        }
    }
}
