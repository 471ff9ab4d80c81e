//! Policies of layer versions: which other accounts may use one. A small file beside the version's, `3.policy.json`, put in
//! the place of the last one as a whole; its text is AWS's, key for key.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::complaint::Complaints;
use super::name::{is_word, partition_of};
use super::record;
use super::{LayerName, LayerVersion, Place, Store, StoreError};

/// What a statement can allow.
const ACTION: &str = "lambda:GetLayerVersion";
/// A policy has at most 20 KB.
const LONGEST_POLICY: usize = 20_480;
const LONGEST_STATEMENT_ID: usize = 100;
const STALE: &str = "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id";

/// A statement that is to be added to a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Its name in the policy: 1 to 100 letters, digits, `-` and `_`.
    pub statement_id: String,
    /// `lambda:GetLayerVersion`, and nothing else.
    pub action: String,
    /// An account of twelve digits, the ARN of one (`arn:aws:iam::123456789012:root`), or `*` for all.
    pub principal: String,
    /// Only accounts of this organization: `o-` and 10 to 32 letters and digits.
    pub organization_id: Option<String>,
}

/// A statement that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The statement, in JSON without spaces.
    pub statement: String,
    /// Which policy it has made.
    pub revision_id: String,
}

/// The policy of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// In JSON without spaces, statements in the order they were added.
    pub text: String,
    /// A UUID that changes with every statement added or removed.
    pub revision_id: String,
    /// What its statements allow.
    pub permissions: Vec<Permission>,
}

/// Who asks for a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller<'a> {
    /// Twelve digits.
    pub account: &'a str,
    /// The organization that the account is a member of.
    pub organization: Option<&'a str>,
}

/// The file of a policy.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Record {
    revision_id: String,
    policy: Document,
}

// Fields are written in this order, which is AWS's.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    version: String,
    id: String,
    statement: Vec<Statement>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Statement {
    sid: String,
    effect: String,
    principal: Principal,
    action: String,
    resource: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Principal {
    /// `*`
    Everybody(String),
    Account {
        #[serde(rename = "AWS")]
        arn: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Condition {
    string_equals: StringEquals,
}

#[derive(Serialize, Deserialize)]
struct StringEquals {
    #[serde(rename = "aws:PrincipalOrgID")]
    organization: String,
}

impl Permission {
    /// That an account, or everybody (`*`), may use a version.
    pub fn to(principal: &str, statement_id: &str) -> Permission {
        Permission {
            statement_id: statement_id.to_owned(),
            action: ACTION.to_owned(),
            principal: principal.to_owned(),
            organization_id: None,
        }
    }

    /// Whether AWS would take it.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], with a sentence for each member that is wrong.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut wrong = check_statement_id(&self.statement_id);
        wrong.pattern("action", &self.action, self.action == ACTION, ACTION);
        let principal = &self.principal;
        let is_principal = principal == "*" || account_of(principal).is_some();
        let pattern = r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root";
        wrong.pattern("principal", principal, is_principal, pattern);
        if let Some(organization) = &self.organization_id {
            let fits = is_organization(organization);
            wrong.pattern("organizationId", organization, fits, "o-[a-z0-9]{10,32}");
        }
        wrong.end()
    }

    fn statement(&self, version: &LayerVersion) -> Statement {
        let principal = match account_of(&self.principal) {
            None => Principal::Everybody(self.principal.clone()),
            Some(_) if self.principal.starts_with("arn:") => Principal::Account {
                arn: self.principal.clone(),
            },
            Some(account) => Principal::Account {
                arn: format!("arn:{}:iam::{account}:root", partition_of(version.place.region())),
            },
        };
        let organization = self.organization_id.clone();
        Statement {
            sid: self.statement_id.clone(),
            effect: "Allow".to_owned(),
            principal,
            action: self.action.clone(),
            resource: version.arn(),
            condition: organization.map(|organization| Condition {
                string_equals: StringEquals { organization },
            }),
        }
    }
}

impl Statement {
    fn permission(self) -> Permission {
        Permission {
            statement_id: self.sid,
            action: self.action,
            principal: match self.principal {
                Principal::Everybody(star) => star,
                Principal::Account { arn } => account_of(&arn).map_or(arn.clone(), str::to_owned),
            },
            organization_id: self
                .condition
                .map(|condition| condition.string_equals.organization),
        }
    }

    fn allows(&self, caller: &Caller) -> bool {
        let is_meant = match &self.principal {
            Principal::Everybody(star) => star == "*",
            Principal::Account { arn } => account_of(arn) == Some(caller.account),
        };
        let organization = self
            .condition
            .as_ref()
            .map(|condition| &condition.string_equals.organization);
        is_meant && organization.is_none_or(|wanted| caller.organization == Some(wanted))
    }
}

impl Store {
    /// Adds a statement to the policy of a version; with `revision`, only where that is the latest.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words: a value, a version that is not there, a statement that is, another revision, more than
    /// 20 KB. Or the system's.
    pub fn permit(
        &self,
        place: &Place,
        name: &LayerName,
        number: u64,
        permission: &Permission,
        revision: Option<&str>,
    ) -> Result<Granted, StoreError> {
        permission.check()?;
        let version = self.version_with_policy(place, name, number)?;
        let _shared = self.share()?;
        let _alone = self.edit(place)?;
        // It may have been deleted while we waited.
        self.version_with_policy(place, name, number)?;
        self.put_statement(&version, permission, revision)
    }

    /// Adds a statement, for whoever has the place to himself.
    pub(super) fn put_statement(
        &self,
        version: &LayerVersion,
        permission: &Permission,
        revision: Option<&str>,
    ) -> Result<Granted, StoreError> {
        let file = self.policy_file(&version.place, &version.name, version.version);
        let mut record = read(&file)?.unwrap_or_else(Record::empty);
        let id = &permission.statement_id;
        if record
            .policy
            .statement
            .iter()
            .any(|statement| statement.sid == *id)
        {
            return Err(StoreError::Conflict(format!(
                "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
            )));
        }
        check_revision(&record, revision)?;
        let statement = permission.statement(version);
        let text = json(&statement, &file)?;
        record.policy.statement.push(statement);
        let length = json(&record.policy, &file)?.len();
        if length > LONGEST_POLICY {
            return Err(StoreError::PolicyLength(format!(
                "The final policy size ({length}) is bigger than the limit ({LONGEST_POLICY})."
            )));
        }
        record.revision_id = new_revision();
        record::written(&self.scratch(), &record)?.replace(&file)?;
        Ok(Granted {
            statement: text,
            revision_id: record.revision_id,
        })
    }

    /// The policy of a version.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where the version is not there, or has none.
    pub fn policy(&self, place: &Place, name: &LayerName, number: u64) -> Result<Policy, StoreError> {
        self.version_with_policy(place, name, number)?;
        let file = self.policy_file(place, name, number);
        match read(&file)? {
            Some(record) => Ok(Policy {
                text: json(&record.policy, &file)?,
                revision_id: record.revision_id,
                permissions: record
                    .policy
                    .statement
                    .into_iter()
                    .map(Statement::permission)
                    .collect(),
            }),
            None => Err(StoreError::NotFound(
                "No policy is associated with the given resource.".to_owned(),
            )),
        }
    }

    /// Removes a statement from the policy of a version; with `revision`, only where that is the latest. With the last one
    /// the policy is gone.
    ///
    /// # Errors
    /// What AWS refuses, in AWS's words; or the system's.
    pub fn revoke(
        &self,
        place: &Place,
        name: &LayerName,
        number: u64,
        statement_id: &str,
        revision: Option<&str>,
    ) -> Result<(), StoreError> {
        check_statement_id(statement_id).end()?;
        self.version_with_policy(place, name, number)?;
        let _shared = self.share()?;
        let _alone = self.edit(place)?;
        self.version_with_policy(place, name, number)?;
        let file = self.policy_file(place, name, number);
        let mut record = read(&file)?.unwrap_or_else(Record::empty);
        let statements = &mut record.policy.statement;
        let Some(at) = statements
            .iter()
            .position(|statement| statement.sid == statement_id)
        else {
            return Err(StoreError::NotFound(format!(
                "Statement {statement_id} is not found in resource policy."
            )));
        };
        statements.remove(at);
        let is_empty = statements.is_empty();
        check_revision(&record, revision)?;
        if is_empty {
            return record::remove(&file);
        }
        record.revision_id = new_revision();
        record::written(&self.scratch(), &record)?.replace(&file)
    }

    /// Whether somebody may use a version: its own account always, others by its policy.
    ///
    /// # Errors
    /// When the policy cannot be read.
    pub fn may_use(&self, caller: &Caller, version: &LayerVersion) -> Result<bool, StoreError> {
        if caller.account == version.place.account() {
            return Ok(true);
        }
        let file = self.policy_file(&version.place, &version.name, version.version);
        let record = read(&file)?;
        let statements = record.map_or(Vec::new(), |record| record.policy.statement);
        Ok(statements.iter().any(|statement| statement.allows(caller)))
    }

    /// A version, for somebody who may be of another account.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] where it is not there; [`StoreError::Denied`] where it is another account's and may not be used,
    /// or is not there: AWS does not tell strangers which.
    pub fn version_for(
        &self,
        caller: &Caller,
        place: &Place,
        name: &LayerName,
        number: u64,
    ) -> Result<LayerVersion, StoreError> {
        let is_own = caller.account == place.account();
        match self.version(place, name, number) {
            Ok(version) if self.may_use(caller, &version)? => Ok(version),
            Ok(_) => Err(denied(caller, place, name, number)),
            Err(StoreError::NotFound(_)) if !is_own => Err(denied(caller, place, name, number)),
            Err(error) => Err(error),
        }
    }

    /// A version that a policy is asked of.
    fn version_with_policy(
        &self,
        place: &Place,
        name: &LayerName,
        number: u64,
    ) -> Result<LayerVersion, StoreError> {
        match self.version(place, name, number) {
            Err(StoreError::NotFound(_)) => Err(StoreError::NotFound(missing(place, name, number))),
            answer => answer,
        }
    }

    pub(super) fn policy_file(&self, place: &Place, name: &LayerName, number: u64) -> PathBuf {
        self.layer(place, name).join(format!("{number}.policy.json"))
    }
}

impl Record {
    fn empty() -> Record {
        Record {
            revision_id: String::new(),
            policy: Document {
                version: "2012-10-17".to_owned(),
                id: "default".to_owned(),
                statement: Vec::new(),
            },
        }
    }
}

/// A new UUID, as AWS has for every state of a thing.
pub(super) fn new_revision() -> String {
    Uuid::new_v4().to_string()
}

/// AWS's words for a version that is not there, where a policy or a function asks for it.
pub(super) fn missing(place: &Place, name: &LayerName, number: u64) -> String {
    format!("Layer version {}:{number} does not exist.", place.layer_arn(name))
}

/// AWS's words for who may not use a version.
pub(super) fn denied(caller: &Caller, place: &Place, name: &LayerName, number: u64) -> StoreError {
    let (partition, account) = (partition_of(place.region()), caller.account);
    StoreError::Denied(format!(
        "User: arn:{partition}:iam::{account}:user/optfs is not authorized to perform: {ACTION} on resource: {}:{number} because no \
         resource-based policy allows the {ACTION} action",
        place.layer_arn(name)
    ))
}

fn read(file: &Path) -> Result<Option<Record>, StoreError> {
    record::read(file, "a layer version's policy")
}

fn json(value: &impl Serialize, file: &Path) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| super::error::at(file)(error.into()))
}

fn check_revision(record: &Record, revision: Option<&str>) -> Result<(), StoreError> {
    match revision {
        Some(revision) if revision != record.revision_id => Err(StoreError::Precondition(STALE.to_owned())),
        _ => Ok(()),
    }
}

fn check_statement_id(id: &str) -> Complaints {
    let mut wrong = Complaints::default();
    wrong.longest("statementId", id, LONGEST_STATEMENT_ID);
    wrong.pattern("statementId", id, is_word(id), "([a-zA-Z0-9-_]+)");
    wrong
}

/// The account of twelve digits, or of the ARN of one.
fn account_of(principal: &str) -> Option<&str> {
    let account = match principal.strip_prefix("arn:") {
        None => principal,
        Some(rest) => {
            let (partition, rest) = rest.split_once(":iam::")?;
            let is_partition = partition.starts_with("aws")
                && partition.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-');
            rest.strip_suffix(":root").filter(|_| is_partition)?
        }
    };
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    is_account.then_some(account)
}

/// `o-[a-z0-9]{10,32}`
fn is_organization(text: &str) -> bool {
    let part = text.strip_prefix("o-").unwrap_or("");
    (10..=32).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_refuses_of_a_permission_is_refused_in_its_words() {
        let good = Permission::to("210987654321", "xaccount");
        assert!(good.check().is_ok());
        let star = Permission {
            action: "*".to_owned(),
            ..good.clone()
        };
        // Recorded against AWS.
        assert_eq!(
            star.check().unwrap_err().to_string(),
            "1 validation error detected: Value '*' at 'action' failed to satisfy constraint: Member must satisfy regular expression \
             pattern: lambda:GetLayerVersion"
        );
        for principal in [
            "*",
            "arn:aws:iam::210987654321:root",
            "arn:aws-cn:iam::210987654321:root",
        ] {
            assert!(Permission::to(principal, "s").check().is_ok(), "{principal}");
        }
        for principal in [
            "",
            "**",
            "1",
            "arn:aws:iam::210987654321:user/x",
            "arn:gcp:iam::210987654321:root",
        ] {
            assert!(Permission::to(principal, "s").check().is_err(), "{principal}");
        }
        for (id, is_good) in [
            ("o-t194hfs8cz", true),
            ("o-t194hfs8", false),
            ("O-t194hfs8cz", false),
        ] {
            let permission = Permission {
                organization_id: Some(id.to_owned()),
                ..Permission::to("*", "s")
            };
            assert_eq!(permission.check().is_ok(), is_good, "{id}");
        }
        assert!(Permission::to("*", &"a".repeat(101)).check().is_err());
        assert!(Permission::to("*", "a b").check().is_err());
    }
    /// A store with version 1 of `a`, in account 123456789012.
    fn shop() -> (tempfile::TempDir, Store, Place, LayerName) {
        let scratch = tempfile::TempDir::new().unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let content = scratch.path().join("content");
        std::fs::create_dir(&content).unwrap();
        std::fs::write(content.join("a"), "a").unwrap();
        let place = Place::new("123456789012", "us-east-2").unwrap();
        let name = LayerName::check("a").unwrap();
        let intake = store.take_directory(&content).unwrap();
        store.publish(&place, &name, Default::default(), intake).unwrap();
        (scratch, store, place, name)
    }

    #[test]
    fn statements_are_written_as_aws_writes_them() {
        let (_scratch, store, place, name) = shop();
        let mut permission = Permission::to("*", "s2");
        permission.organization_id = Some("o-t194hfs8cz".to_owned());
        let first = Permission::to("210987654321", "xaccount");
        let granted = store.permit(&place, &name, 1, &first, None).unwrap();
        let arn = "arn:aws:lambda:us-east-2:123456789012:layer:a:1";
        let xaccount = format!(
            r#"{{"Sid":"xaccount","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::210987654321:root"}},"Action":"lambda:GetLayerVersion","Resource":"{arn}"}}"#
        );
        assert_eq!(granted.statement, xaccount);
        let second = store
            .permit(&place, &name, 1, &permission, Some(&granted.revision_id))
            .unwrap();
        let of_organization = format!(
            r#"{{"Sid":"s2","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"{arn}","Condition":{{"StringEquals":{{"aws:PrincipalOrgID":"o-t194hfs8cz"}}}}}}"#
        );
        assert_eq!(second.statement, of_organization);
        let policy = store.policy(&place, &name, 1).unwrap();
        assert_eq!(
            policy.text,
            format!(
                r#"{{"Version":"2012-10-17","Id":"default","Statement":[{xaccount},{of_organization}]}}"#
            )
        );
        assert_eq!(policy.revision_id, second.revision_id);
        assert_ne!(policy.revision_id, granted.revision_id);
    }

    #[test]
    fn a_layer_is_for_its_own_account_and_those_it_is_granted_to() {
        let (_scratch, store, place, name) = shop();
        let version = store.version(&place, &name, 1).unwrap();
        let may = |account: &str, organization: Option<&str>| {
            store
                .may_use(
                    &Caller {
                        account,
                        organization,
                    },
                    &version,
                )
                .unwrap()
        };
        assert!(may("123456789012", None) && !may("210987654321", None));
        let permit = |permission: Permission| store.permit(&place, &name, 1, &permission, None).unwrap();
        permit(Permission::to("210987654321", "one"));
        assert!(may("210987654321", None) && !may("111111111111", Some("o-t194hfs8cz")));
        permit(Permission {
            organization_id: Some("o-t194hfs8cz".to_owned()),
            ..Permission::to("*", "organization")
        });
        assert!(may("111111111111", Some("o-t194hfs8cz")) && !may("111111111111", Some("o-t194hfs8cy")));
        let stranger = Caller {
            account: "222222222222",
            organization: None,
        };
        for number in [1, 9] {
            let refused = store.version_for(&stranger, &place, &name, number).unwrap_err();
            assert!(matches!(refused, StoreError::Denied(_)));
            assert_eq!(
                refused.to_string(),
                format!(
                    "User: arn:aws:iam::222222222222:user/optfs is not authorized to perform: lambda:GetLayerVersion on resource: \
                     arn:aws:lambda:us-east-2:123456789012:layer:a:{number} because no resource-based policy allows the \
                     lambda:GetLayerVersion action"
                )
            );
        }
        permit(Permission::to("*", "all"));
        assert!(store.version_for(&stranger, &place, &name, 1).is_ok());
    }

    #[test]
    fn a_policy_has_at_most_20_kilobytes() {
        let (_scratch, store, place, name) = shop();
        let add = |number: usize| {
            let id = format!("{number:0>100}");
            store.permit(&place, &name, 1, &Permission::to("*", &id), None)
        };
        let refused = (0..).find_map(|number| add(number).err()).unwrap();
        assert!(matches!(refused, StoreError::PolicyLength(_)));
        let size = store.policy(&place, &name, 1).unwrap().text.len();
        assert!(size <= 20_480 && size > 20_000, "{size}");
    }
}
