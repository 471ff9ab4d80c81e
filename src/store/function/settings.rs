//! The configuration of a function: what is asked of it, with AWS's names, checked as AWS checks it; and what is kept of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::environment::Environment;
use crate::store::StoreError;
use crate::store::complaint::Complaints;
use crate::store::publication::{LISTED_RUNTIMES, is_runtime};

const ROLE_PATTERN: &str = r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+";
const LONGEST_DESCRIPTION: usize = 256;
const LONGEST_HANDLER: usize = 128;

/// What can be said of a function's configuration. In a request what is absent is left as it is; in a function nothing is
/// absent that has a default.
///
/// Reads and writes AWS's JSON; members that it does not know are passed over.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    /// The ARN of a role of IAM. Nobody looks whether there is one.
    pub role: Option<String>,
    /// What Lambda calls.
    pub handler: Option<String>,
    /// Such as `python3.12`; none for an image.
    pub runtime: Option<String>,
    /// At most 256 characters.
    pub description: Option<String>,
    /// Seconds, 1 to 900; 3 if nothing is said.
    pub timeout: Option<i64>,
    /// Megabytes, 128 to 10,240; 128 if nothing is said.
    pub memory_size: Option<i64>,
    /// Variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// The key that the variables are encrypted with, on AWS.
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    /// Megabytes in /tmp.
    pub ephemeral_storage: Option<EphemeralStorage>,
    /// X-Ray.
    pub tracing_config: Option<TracingConfig>,
    /// When a snapshot is taken.
    pub snap_start: Option<SnapStart>,
    /// Where logs go.
    pub logging_config: Option<LoggingConfig>,
    /// The network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_config: Option<VpcConfig>,
    /// Where failed events go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dead_letter_config: Option<DeadLetterConfig>,
    /// What is mounted beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_system_configs: Option<Vec<FileSystemConfig>>,
    /// What overrides an image's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_config: Option<ImageConfig>,
    /// Kept and given back as it was sent, as the four behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenancy_config: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as the one before")]
    pub capacity_provider_config: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as the one before")]
    pub durable_config: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as the one before")]
    pub runtime_config: Option<Object>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[expect(missing_docs, reason = "as the one before")]
    pub accelerator_config: Option<Object>,
}

/// A JSON object.
pub type Object = BTreeMap<String, Value>;

/// The size of /tmp.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EphemeralStorage {
    /// Megabytes, 512 to 10,240; 512 if nothing is said.
    pub size: i64,
}

/// Whether requests are traced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TracingConfig {
    /// `Active` or `PassThrough`.
    pub mode: String,
}

/// Whether published versions are started from a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SnapStart {
    /// `PublishedVersions` or `None`.
    pub apply_on: String,
}

/// Where logs go, and what goes there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct LoggingConfig {
    /// `Text` or `JSON`.
    pub log_format: Option<String>,
    /// Of `JSON`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_log_level: Option<String>,
    /// Of `JSON`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_log_level: Option<String>,
    /// `/aws/lambda/NAME` if nothing is said.
    pub log_group: Option<String>,
}

/// Which network a function is in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "AWS's own names")]
pub struct VpcConfig {
    pub subnet_ids: Vec<String>,
    pub security_group_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6_allowed_for_dual_stack: Option<bool>,
}

/// Where failed events go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "AWS's own names")]
pub struct DeadLetterConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_arn: Option<String>,
}

/// What is mounted beside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "AWS's own names")]
pub struct FileSystemConfig {
    pub arn: String,
    pub local_mount_path: String,
}

/// What overrides an image's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[expect(missing_docs, reason = "AWS's own names")]
pub struct ImageConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
}

impl Default for TracingConfig {
    fn default() -> TracingConfig {
        TracingConfig {
            mode: "PassThrough".to_owned(),
        }
    }
}

impl Default for SnapStart {
    fn default() -> SnapStart {
        SnapStart {
            apply_on: "None".to_owned(),
        }
    }
}

impl Settings {
    /// What a new function has that says nothing.
    pub(super) fn defaults(name: &str) -> Settings {
        Settings {
            description: Some(String::new()),
            timeout: Some(3),
            memory_size: Some(128),
            ephemeral_storage: Some(EphemeralStorage { size: 512 }),
            tracing_config: Some(TracingConfig::default()),
            snap_start: Some(SnapStart::default()),
            logging_config: Some(LoggingConfig {
                log_format: Some("Text".to_owned()),
                log_group: Some(format!("/aws/lambda/{name}")),
                ..LoggingConfig::default()
            }),
            ..Settings::default()
        }
    }

    /// What AWS's model does not allow.
    pub(super) fn complain(&self, wrong: &mut Complaints) {
        if let Some(role) = &self.role {
            wrong.pattern("role", role, is_role(role), ROLE_PATTERN);
        }
        if let Some(handler) = &self.handler {
            wrong.longest("handler", handler, LONGEST_HANDLER);
            let fits = !handler.is_empty() && !handler.contains(char::is_whitespace);
            wrong.pattern("handler", handler, fits, r"[^\s]+");
        }
        if let Some(description) = &self.description {
            wrong.longest("description", description, LONGEST_DESCRIPTION);
        }
        if let Some(timeout) = self.timeout {
            wrong.range("timeout", timeout, 1, 900);
        }
        if let Some(memory_size) = self.memory_size {
            wrong.range("memorySize", memory_size, 128, 10_240);
        }
        if let Some(environment) = &self.environment {
            environment.variables.complain(wrong);
        }
        if let Some(storage) = &self.ephemeral_storage {
            wrong.range("ephemeralStorage.size", storage.size, 512, 10_240);
        }
        if let Some(tracing) = &self.tracing_config {
            wrong.one_of("tracingConfig.mode", &tracing.mode, &["Active", "PassThrough"]);
        }
        if let Some(snap_start) = &self.snap_start {
            let allowed = ["PublishedVersions", "None"];
            wrong.one_of("snapStart.applyOn", &snap_start.apply_on, &allowed);
        }
        if let Some(format) = self
            .logging_config
            .as_ref()
            .and_then(|logging| logging.log_format.as_ref())
        {
            wrong.one_of("loggingConfig.logFormat", format, &["JSON", "Text"]);
        }
    }

    /// What AWS refuses beyond its model; `current` is what the function has already.
    pub(super) fn check(&self, current: &Settings) -> Result<(), StoreError> {
        if let Some(environment) = &self.environment {
            environment.variables.check()?;
        }
        if let Some(runtime) = self.runtime.as_deref().filter(|runtime| !is_runtime(runtime)) {
            return Err(StoreError::parameter(format!(
                "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{LISTED_RUNTIMES}] or be \
                 a valid ARN"
            )));
        }
        let runtime = self.runtime.as_deref().or(current.runtime.as_deref());
        match (&self.snap_start, runtime) {
            (Some(snap_start), Some(runtime))
                if snap_start.apply_on != "None" && !takes_snapshots(runtime) =>
            {
                let message = format!("{runtime} is not supported for SnapStart enabled functions.");
                Err(StoreError::parameter(message))
            }
            _ => Ok(()),
        }
    }

    /// Takes over what is asked; what is absent stays.
    pub(super) fn apply(&mut self, asked: Settings) {
        fn replace<T>(old: &mut Option<T>, new: Option<T>) {
            if new.is_some() {
                *old = new;
            }
        }
        // What is given empty takes away what was there.
        fn set<T>(old: &mut Option<T>, new: Option<T>, is_empty: impl Fn(&T) -> bool) {
            if let Some(new) = new {
                *old = Some(new).filter(|new| !is_empty(new));
            }
        }
        replace(&mut self.role, asked.role);
        replace(&mut self.handler, asked.handler);
        replace(&mut self.runtime, asked.runtime);
        replace(&mut self.description, asked.description);
        replace(&mut self.timeout, asked.timeout);
        replace(&mut self.memory_size, asked.memory_size);
        replace(&mut self.environment, asked.environment);
        set(&mut self.kms_key_arn, asked.kms_key_arn, String::is_empty);
        replace(&mut self.ephemeral_storage, asked.ephemeral_storage);
        replace(&mut self.tracing_config, asked.tracing_config);
        replace(&mut self.snap_start, asked.snap_start);
        if let Some(logging) = asked.logging_config {
            self.logging_config.get_or_insert_default().apply(logging);
        }
        replace(&mut self.vpc_config, asked.vpc_config);
        set(&mut self.dead_letter_config, asked.dead_letter_config, |config| {
            config.target_arn.as_deref().unwrap_or("").is_empty()
        });
        set(
            &mut self.file_system_configs,
            asked.file_system_configs,
            Vec::is_empty,
        );
        replace(&mut self.image_config, asked.image_config);
        replace(&mut self.tenancy_config, asked.tenancy_config);
        replace(&mut self.capacity_provider_config, asked.capacity_provider_config);
        replace(&mut self.durable_config, asked.durable_config);
        replace(&mut self.runtime_config, asked.runtime_config);
        replace(&mut self.accelerator_config, asked.accelerator_config);
    }
}

impl LoggingConfig {
    /// Takes over what is asked. Levels belong to JSON: it has them, and text has none.
    fn apply(&mut self, asked: LoggingConfig) {
        let LoggingConfig {
            log_format,
            application_log_level,
            system_log_level,
            log_group,
        } = asked;
        self.log_format = log_format.or(self.log_format.take());
        self.log_group = log_group.or(self.log_group.take());
        let is_json = self.log_format.as_deref() == Some("JSON");
        let level = |asked: Option<String>, old: Option<String>| {
            let level = asked.or(old).unwrap_or_else(|| "INFO".to_owned());
            is_json.then_some(level)
        };
        self.application_log_level = level(application_log_level, self.application_log_level.take());
        self.system_log_level = level(system_log_level, self.system_log_level.take());
    }
}

/// [`ROLE_PATTERN`]
fn is_role(text: &str) -> bool {
    let role = || {
        let (partition, rest) = text.strip_prefix("arn:")?.split_once(":iam::")?;
        let (account, rest) = rest.split_once(":role")?;
        let is_partition = partition.is_empty()
            || partition.starts_with("aws")
                && partition.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_/".contains(&b);
        Some(is_partition && is_account && !rest.is_empty() && rest.bytes().all(is_part))
    };
    role().unwrap_or(false)
}

/// Java from 11, Python from 3.12 and .NET from 8 (AWS's documentation of SnapStart).
fn takes_snapshots(runtime: &str) -> bool {
    let from = |prefix: &str, least: u32| {
        let version = runtime.strip_prefix(prefix).unwrap_or("");
        let version = version.split('.').next().unwrap_or("");
        version.parse().is_ok_and(|version: u32| version >= least)
    };
    from("java", 11) || from("python3.", 12) || from("dotnet", 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Settings {
        serde_json::from_str(text).unwrap()
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        let mut wrong = Complaints::default();
        read(text).complain(&mut wrong);
        wrong.message()
    }

    /// The first is recorded against AWS.
    #[test]
    fn what_the_model_does_not_allow_is_named_each_for_itself() {
        assert_eq!(
            refused(r#"{"Role": "r1"}"#),
            r"1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"
        );
        let message = refused(
            r#"{"Timeout": 901, "MemorySize": 1, "Handler": "a b", "EphemeralStorage": {"Size": 1}, "TracingConfig": {"Mode": "x"},
                "Environment": {"Variables": {"a-b": "secret"}}, "SnapStart": {"ApplyOn": "x"}, "LoggingConfig": {"LogFormat": "x"}}"#,
        );
        assert!(message.starts_with("8 validation errors detected: "), "{message}");
        for part in [
            "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
            "Value '1' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
            r"Value 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\s]+",
            "Value 'x' at 'tracingConfig.mode' failed to satisfy constraint: Member must satisfy enum value set: [Active, PassThrough]",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("secret"));
    }

    #[test]
    fn roles_are_those_of_the_model() {
        for role in [
            "arn:aws:iam::123456789012:role/r",
            "arn:aws-cn:iam::123456789012:role/a/b",
            "arn:aws:iam::123456789012:rolex",
        ] {
            assert!(is_role(role), "{role}");
        }
        for role in [
            "",
            "arn:aws:iam::1:role/r",
            "arn:aws:iam::123456789012:role",
            "arn:aws:iam::123456789012:role/a b",
            "arn:gcp:iam::123456789012:role/r",
        ] {
            assert!(!is_role(role), "{role}");
        }
    }

    #[test]
    fn what_is_absent_is_kept_and_what_is_there_replaces() {
        let mut settings = Settings::defaults("f");
        settings.apply(read(r#"{"Timeout": 30, "Environment": {"Variables": {"AA": "1"}}, "KMSKeyArn": "arn:k", "Unknown": [1]}"#));
        settings.apply(read(
            r#"{"Description": "x", "KMSKeyArn": "", "Environment": {}, "Role": null}"#,
        ));
        assert_eq!((settings.timeout, settings.memory_size), (Some(30), Some(128)));
        assert_eq!(settings.description.as_deref(), Some("x"));
        assert_eq!(
            (settings.kms_key_arn, settings.environment),
            (None, Some(Environment::default()))
        );
    }

    #[test]
    fn logs_in_json_have_levels_and_text_has_none() {
        let mut settings = Settings::defaults("f");
        settings.apply(read(
            r#"{"LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": "DEBUG"}}"#,
        ));
        let logging = serde_json::to_value(&settings.logging_config).unwrap();
        assert_eq!(
            logging,
            serde_json::json!({
                "LogFormat": "JSON", "ApplicationLogLevel": "DEBUG", "SystemLogLevel": "INFO", "LogGroup": "/aws/lambda/f"
            })
        );
        settings.apply(read(r#"{"LoggingConfig": {"LogFormat": "Text"}}"#));
        assert_eq!(settings.logging_config, Settings::defaults("f").logging_config);
    }

    #[test]
    fn snapshots_are_for_some_runtimes() {
        for (runtime, takes) in [
            ("java11", true),
            ("java8.al2", false),
            ("python3.12", true),
            ("python3.9", false),
            ("dotnet8", true),
            ("nodejs22.x", false),
        ] {
            assert_eq!(takes_snapshots(runtime), takes, "{runtime}");
        }
    }
}
