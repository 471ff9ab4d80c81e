//! Functions: operations 10 to 21 of AWS's API, and tags set and removed. Nothing runs here, and Invoke says so.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::call::Call;
use super::desk::Desk;
use super::fault::{Code, Fault};
use super::form::{self, Form};
use super::pages::Page;
use super::snapshots;
use crate::store::function::{
    CodeUpdate, ConfigurationUpdate, Function, FunctionReference, NewCode, NewFunction, Purpose, Tags,
    VersionOfFunction,
};
use crate::store::{Intake, Place, StoreError, shape};

/// Functions and versions on a page, and how many may be asked for.
const PAGE: usize = 50;
const MOST_ASKED: u64 = 10_000;

type Answer = Result<Response, Fault>;

/// What CreateFunction is sent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Creating {
    function_name: Option<String>,
    code: Option<Source>,
    #[serde(flatten)]
    new: NewFunction,
}

/// What UpdateFunctionCode is sent.
#[derive(Deserialize)]
struct Recoding {
    #[serde(flatten)]
    source: Source,
    #[serde(flatten)]
    update: CodeUpdate,
}

/// Where code comes from.
#[derive(Deserialize, Default)]
struct Source {
    #[serde(rename = "S3Bucket")]
    bucket: Option<String>,
    #[serde(rename = "S3Key")]
    key: Option<String>,
    #[serde(rename = "ImageUri")]
    image: Option<String>,
    /// Empty: it is on disk.
    #[serde(rename = "ZipFile")]
    zip: Option<String>,
}

/// What TagResource is sent.
#[derive(Deserialize)]
struct Tagging {
    #[serde(rename = "Tags")]
    tags: Option<Tags>,
}

/// A function that a request names.
struct Named {
    place: Place,
    name: String,
    qualifier: Option<String>,
}

impl Named {
    fn of(call: &Call, word: &str, purpose: Purpose, action: &str) -> Result<Named, Fault> {
        let reference = FunctionReference::check(word, call.word("Qualifier"), purpose)?;
        reference.within(&call.place, &format!("lambda:{action}"))?;
        Ok(Named {
            place: call.place.clone(),
            name: reference.name,
            qualifier: reference.qualifier,
        })
    }

    fn in_path(call: &Call, action: &str) -> Result<Named, Fault> {
        Named::of(call, call.part("function"), Purpose::Other, action)
    }
}

/// CreateFunction
pub(super) async fn create(State(desk): State<Desk>, call: Call, headers: HeaderMap, body: Body) -> Answer {
    let form: Form<Creating> = form::with_zip(&desk, "CreateFunction", &headers, body).await?;
    let Form { members, zip } = form;
    let null = |member| Fault::validation(member, "null", "Member must not be null");
    let word = members.function_name.ok_or_else(|| null("functionName"))?;
    let named = Named::of(&call, &word, Purpose::Create, "CreateFunction")?;
    let source = members.code.ok_or_else(|| null("code"))?;
    let code = code(&desk, &call, source, zip).await?;
    let organization = desk.organization();
    let made = desk
        .ask(move |store| {
            let (place, name) = (&named.place, &named.name);
            store.create_function(place, name, organization.as_deref(), members.new, code)
        })
        .await?;
    // A version that was published at once is the answer; its ARN does not say so, as it does not on AWS.
    Ok((StatusCode::CREATED, Json(shape::function(&made, false))).into_response())
}

/// ListFunctions
pub(super) async fn list(State(desk): State<Desk>, call: Call) -> Answer {
    let page = Page::of(&call, MOST_ASKED, PAGE)?;
    let all = match call.word("FunctionVersion") {
        None | Some("") => false,
        Some("ALL") => true,
        Some(other) => {
            return Err(Fault::validation(
                "functionVersion",
                &format!("'{other}'"),
                "Member must satisfy enum value set: [ALL]",
            ));
        }
    };
    let place = call.place.clone();
    let functions = desk
        .ask(move |store| {
            let latest = store.functions(&place)?;
            if !all {
                return Ok(latest);
            }
            let mut every = Vec::new();
            for function in latest {
                match store.function_versions(&place, &function.name) {
                    // Deleted since.
                    Err(StoreError::NotFound(_)) => {}
                    versions => every.extend(versions?),
                }
            }
            Ok(every)
        })
        .await?;
    let (functions, marker) = page.cut(functions, key, |key, after| key > after);
    let functions: Vec<_> = functions
        .iter()
        .map(|function| shape::function_item(function, all))
        .collect();
    Ok(Json(json!({ "NextMarker": marker, "Functions": functions })).into_response())
}

/// GetFunction
pub(super) async fn get(State(desk): State<Desk>, call: Call) -> Answer {
    let named = Named::in_path(&call, "GetFunction")?;
    let is_qualified = named.qualifier.is_some();
    let (function, tags) = desk
        .ask(move |store| {
            let function = store.function(&named.place, &named.name, named.qualifier.as_deref())?;
            let tags = store.tags(&named.place, &named.name)?;
            Ok((function, tags))
        })
        .await?;
    let location = snapshots::code_location(&call.base, &function);
    let body = shape::function_with_code(&function, is_qualified, &tags, &location);
    Ok(Json(body).into_response())
}

/// GetFunctionConfiguration
pub(super) async fn configuration(State(desk): State<Desk>, call: Call) -> Answer {
    let named = Named::in_path(&call, "GetFunctionConfiguration")?;
    let is_qualified = named.qualifier.is_some();
    let function = desk
        .ask(move |store| store.function(&named.place, &named.name, named.qualifier.as_deref()))
        .await?;
    Ok(Json(shape::function(&function, is_qualified)).into_response())
}

/// UpdateFunctionConfiguration
pub(super) async fn update(State(desk): State<Desk>, call: Call, body: Body) -> Answer {
    let update: ConfigurationUpdate = form::members(body).await?;
    let named = Named::in_path(&call, "UpdateFunctionConfiguration")?;
    let organization = desk.organization();
    let function = desk
        .ask(move |store| {
            let (place, name) = (&named.place, &named.name);
            store.update_configuration(place, name, organization.as_deref(), update)
        })
        .await?;
    Ok(Json(shape::function(&function, false)).into_response())
}

/// UpdateFunctionCode
pub(super) async fn recode(State(desk): State<Desk>, call: Call, headers: HeaderMap, body: Body) -> Answer {
    let form: Form<Recoding> = form::with_zip(&desk, "UpdateFunctionCode", &headers, body).await?;
    let named = Named::in_path(&call, "UpdateFunctionCode")?;
    let Form { members, zip } = form;
    let code = code(&desk, &call, members.source, zip).await?;
    let function = desk
        .ask(move |store| store.update_code(&named.place, &named.name, members.update, code))
        .await?;
    let is_version = function.version.is_some();
    Ok(Json(shape::function(&function, is_version)).into_response())
}

/// DeleteFunction
pub(super) async fn delete(State(desk): State<Desk>, call: Call) -> Answer {
    let named = Named::of(&call, call.part("function"), Purpose::Delete, "DeleteFunction")?;
    desk.ask(move |store| store.delete_function(&named.place, &named.name, named.qualifier.as_deref()))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// PublishVersion
pub(super) async fn publish(State(desk): State<Desk>, call: Call, body: Body) -> Answer {
    let about: VersionOfFunction = form::members(body).await?;
    let named = Named::in_path(&call, "PublishVersion")?;
    let function = desk
        .ask(move |store| store.publish_version(&named.place, &named.name, about))
        .await?;
    Ok((StatusCode::CREATED, Json(shape::function(&function, true))).into_response())
}

/// ListVersionsByFunction
pub(super) async fn versions(State(desk): State<Desk>, call: Call) -> Answer {
    let page = Page::of(&call, MOST_ASKED, PAGE)?;
    let named = Named::in_path(&call, "ListVersionsByFunction")?;
    let versions = desk
        .ask(move |store| store.function_versions(&named.place, &named.name))
        .await?;
    let (versions, marker) = page.cut(versions, key, |key, after| key > after);
    let versions: Vec<_> = versions
        .iter()
        .map(|function| shape::function_item(function, true))
        .collect();
    Ok(Json(json!({ "NextMarker": marker, "Versions": versions })).into_response())
}

/// Invoke
pub(super) async fn invoke(State(desk): State<Desk>, call: Call) -> Answer {
    let named = Named::in_path(&call, "InvokeFunction")?;
    let function = desk
        .ask(move |store| store.function(&named.place, &named.name, named.qualifier.as_deref()))
        .await?;
    let name = function.name;
    Err(Fault::new(
        Code::UnsupportedOperation,
        format!(
            "optfs keeps functions and does not run them: 'optfs run --function {name} -- COMMAND' runs a command with the \
             layers of {name} at /opt"
        ),
    ))
}

/// GetAccountSettings
pub(super) async fn account(State(desk): State<Desk>, call: Call) -> Answer {
    let usage = desk.ask(move |store| store.usage(&call.place)).await?;
    Ok(Json(shape::account_settings(&usage)).into_response())
}

/// ListTags
pub(super) async fn tags(State(desk): State<Desk>, call: Call) -> Answer {
    let named = Named::of(&call, call.part("arn"), Purpose::Other, "ListTags")?;
    let tags = desk
        .ask(move |store| store.tags(&named.place, &named.name))
        .await?;
    Ok(Json(json!({ "Tags": tags })).into_response())
}

/// TagResource
pub(super) async fn tag(State(desk): State<Desk>, call: Call, body: Body) -> Answer {
    let tagging: Tagging = form::members(body).await?;
    let named = Named::of(&call, call.part("arn"), Purpose::Other, "TagResource")?;
    let null = || Fault::validation("tags", "null", "Member must not be null");
    let tags = tagging.tags.ok_or_else(null)?;
    desk.ask(move |store| store.tag(&named.place, &named.name, tags, &[]))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// UntagResource
pub(super) async fn untag(State(desk): State<Desk>, call: Call) -> Answer {
    let named = Named::of(&call, call.part("arn"), Purpose::Other, "UntagResource")?;
    let removed = call.words("tagKeys");
    desk.ask(move |store| store.tag(&named.place, &named.name, Tags::new(), &removed))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The code that a request brings or names.
async fn code(desk: &Desk, call: &Call, source: Source, zip: Option<Intake>) -> Result<NewCode, Fault> {
    let zip = source.zip.and(zip);
    match (zip, source.bucket, source.key, source.image) {
        (Some(zip), None, None, None) => Ok(NewCode::Zip(zip)),
        (Some(_), ..) => Err(Fault::parameter(
            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
        )),
        (None, Some(bucket), Some(key), None) => {
            let place = call.place.clone();
            let taken = desk.ask(move |store| store.take_object(&place, &bucket, &key));
            Ok(NewCode::Zip(taken.await?))
        }
        (None, None, None, Some(image)) => Ok(NewCode::Image(image)),
        (None, ..) => Err(NewCode::missing().into()),
    }
}

/// What lists are in order of: names, and `$LATEST` before the numbers.
fn key(function: &Function) -> String {
    format!("{}:{:020}", function.name, function.version.unwrap_or(0))
}
