//! What a publisher says of a layer version, as options.

use clap::Args;

use crate::store::Publication;

#[derive(Args)]
pub(super) struct AboutArgs {
    /// What it is, at most 256 characters
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    /// Its licence: an identifier, a URL or the text, at most 512 characters
    #[arg(long, value_name = "TEXT", visible_alias = "license-info")]
    license: Option<String>,
    /// Runtimes that it is for, at most 15
    #[arg(long, value_name = "RUNTIME", num_args = 0..)]
    compatible_runtimes: Option<Vec<String>>,
    /// Architectures that it is for: x86_64, arm64
    #[arg(long, value_name = "ARCH", num_args = 0..)]
    compatible_architectures: Option<Vec<String>>,
}

impl AboutArgs {
    pub(super) fn publication(&self) -> Publication {
        Publication {
            description: self.description.clone(),
            license_info: self.license.clone(),
            compatible_runtimes: self.compatible_runtimes.clone(),
            compatible_architectures: self.compatible_architectures.clone(),
        }
    }
}
