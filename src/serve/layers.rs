//! Layers and their versions: operations 1 to 9 of AWS's API.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::Call;
use super::desk::Desk;
use super::fault::{Code, Fault};
use super::form::{self, Form};
use super::pages::Page;
use super::snapshots;
use crate::store::{
    Caller, Filter, Layer, LayerName, LayerVersion, Permission, Place, Publication, Reference, shape,
};

/// Layers and versions on a page.
const PAGE: usize = 50;
/// What AWS's messages say the ARN of a version has to be.
const VERSION_ARN_PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)";

type Answer = Result<Response, Fault>;

/// What PublishLayerVersion is sent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Publishing {
    description: Option<String>,
    content: Option<Content>,
    compatible_architectures: Option<Vec<String>>,
    compatible_runtimes: Option<Vec<String>>,
    license_info: Option<String>,
}

#[derive(Deserialize)]
struct Content {
    #[serde(rename = "S3Bucket")]
    bucket: Option<String>,
    #[serde(rename = "S3Key")]
    key: Option<String>,
    /// Empty: it is on disk.
    #[serde(rename = "ZipFile")]
    zip: Option<String>,
}

/// What AddLayerVersionPermission is sent.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Permitting {
    statement_id: Option<String>,
    action: Option<String>,
    principal: Option<String>,
    organization_id: Option<String>,
}

/// A layer that a path names.
struct Named {
    place: Place,
    name: LayerName,
}

/// PublishLayerVersion
pub(super) async fn publish(State(desk): State<Desk>, call: Call, headers: HeaderMap, body: Body) -> Answer {
    let form: Form<Publishing> = form::with_zip(&desk, "PublishLayerVersion", &headers, body).await?;
    let layer = named(&call)?;
    own(&call, &layer, "PublishLayerVersion")?;
    let Form { members, zip } = form;
    let Some(content) = members.content else {
        return Err(Fault::validation("content", "null", "Member must not be null"));
    };
    let about = Publication {
        description: members.description.unwrap_or_default(),
        license_info: members.license_info,
        compatible_runtimes: members.compatible_runtimes,
        compatible_architectures: members.compatible_architectures,
    };
    about.check()?;
    let zip = match (content.zip.and(zip), content.bucket, content.key) {
        (Some(zip), None, None) => zip,
        (Some(_), ..) => {
            return Err(Fault::parameter(
                "Please do not provide other Content parameters when providing a ZipFile.",
            ));
        }
        (None, Some(bucket), Some(key)) => {
            let place = layer.place.clone();
            desk.ask(move |store| store.take_object(&place, &bucket, &key))
                .await?
        }
        (None, ..) => return Err(Fault::parameter("Please provide a source for layer content.")),
    };
    let version = desk
        .ask(move |store| store.publish(&layer.place, &layer.name, about, zip))
        .await?;
    Ok((StatusCode::CREATED, whole(&call, &version)).into_response())
}

/// ListLayers, and GetLayerVersionByArn, which has the same path.
pub(super) async fn list(State(desk): State<Desk>, call: Call) -> Answer {
    match call.word("find") {
        Some("LayerVersion") => return get_by_arn(desk, call).await,
        Some(other) => {
            return Err(Fault::validation(
                "find",
                &format!("'{other}'"),
                "Member must satisfy enum value set: [LayerVersion]",
            ));
        }
        None => {}
    }
    let page = Page::of(&call, PAGE as u64, PAGE)?;
    let (place, filter) = (call.place.clone(), filter(&call));
    let layers = desk.ask(move |store| store.layers(&place, &filter)).await?;
    let name = |layer: &Layer| layer.name.to_string();
    let (layers, marker) = page.cut(layers, name, |name, after| name > after);
    let layers: Vec<_> = layers.iter().map(shape::layer).collect();
    Ok(Json(json!({ "NextMarker": marker, "Layers": layers })).into_response())
}

/// ListLayerVersions
pub(super) async fn list_versions(State(desk): State<Desk>, call: Call) -> Answer {
    let layer = named(&call)?;
    own(&call, &layer, "ListLayerVersions")?;
    let page = Page::of(&call, PAGE as u64, PAGE)?;
    let filter = filter(&call);
    let below = page.after().map(str::parse::<u64>).transpose();
    let below = below.map_err(|_| Fault::parameter("Invalid marker: it is of another list"))?;
    let enough = page.enough();
    let versions = desk
        .ask(move |store| store.versions_below(&layer.place, &layer.name, &filter, below, enough))
        .await?;
    let number = |version: &LayerVersion| version.version.to_string();
    // The highest comes first, and only those behind the marker were asked for.
    let (versions, marker) = page.cut(versions, number, |_, _| true);
    let versions: Vec<_> = versions.iter().map(shape::layer_version_item).collect();
    Ok(Json(json!({ "NextMarker": marker, "LayerVersions": versions })).into_response())
}

/// GetLayerVersion
pub(super) async fn get(State(desk): State<Desk>, call: Call) -> Answer {
    let (layer, number) = (named(&call)?, number(&call)?);
    found(&desk, &call, layer, number).await
}

/// GetLayerVersionByArn
async fn get_by_arn(desk: Desk, call: Call) -> Answer {
    let Some(arn) = call.word("Arn") else {
        return Err(Fault::validation("arn", "null", "Member must not be null"));
    };
    let reference = Reference::parse(arn);
    let Some(Reference {
        place: Some(place),
        name,
        version: Some(number),
    }) = reference
    else {
        let constraint = format!("Member must satisfy regular expression pattern: {VERSION_ARN_PATTERN}");
        return Err(Fault::validation("arn", &format!("'{arn}'"), &constraint));
    };
    found(&desk, &call, Named { place, name }, number).await
}

/// DeleteLayerVersion
pub(super) async fn delete(State(desk): State<Desk>, call: Call) -> Answer {
    let (layer, number) = (named(&call)?, number(&call)?);
    own(&call, &layer, "DeleteLayerVersion")?;
    desk.ask(move |store| store.delete(&layer.place, &layer.name, number))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// AddLayerVersionPermission
pub(super) async fn permit(State(desk): State<Desk>, call: Call, body: Body) -> Answer {
    let Permitting {
        statement_id,
        action,
        principal,
        organization_id,
    } = form::members(body).await?;
    let (layer, number) = (named(&call)?, number(&call)?);
    own(&call, &layer, "AddLayerVersionPermission")?;
    let given = |member: &str, value: Option<String>| {
        value.ok_or_else(|| Fault::validation(member, "null", "Member must not be null"))
    };
    let permission = Permission {
        statement_id: given("statementId", statement_id)?,
        action: given("action", action)?,
        principal: given("principal", principal)?,
        organization_id,
    };
    let revision = call.word("RevisionId").map(str::to_owned);
    let granted = desk
        .ask(move |store| {
            store.permit(
                &layer.place,
                &layer.name,
                number,
                &permission,
                revision.as_deref(),
            )
        })
        .await?;
    let body = json!({ "Statement": granted.statement, "RevisionId": granted.revision_id });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

/// GetLayerVersionPolicy
pub(super) async fn policy(State(desk): State<Desk>, call: Call) -> Answer {
    let (layer, number) = (named(&call)?, number(&call)?);
    own(&call, &layer, "GetLayerVersionPolicy")?;
    let policy = desk
        .ask(move |store| store.policy(&layer.place, &layer.name, number))
        .await?;
    Ok(Json(json!({ "Policy": policy.text, "RevisionId": policy.revision_id })).into_response())
}

/// RemoveLayerVersionPermission
pub(super) async fn revoke(State(desk): State<Desk>, call: Call) -> Answer {
    let (layer, number) = (named(&call)?, number(&call)?);
    own(&call, &layer, "RemoveLayerVersionPermission")?;
    let statement = call.part("statement").to_owned();
    let revision = call.word("RevisionId").map(str::to_owned);
    desk.ask(move |store| store.revoke(&layer.place, &layer.name, number, &statement, revision.as_deref()))
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn found(desk: &Desk, call: &Call, layer: Named, number: u64) -> Answer {
    reachable(call, &layer)?;
    let (account, organization) = (call.place.account().to_owned(), desk.organization());
    let version = desk
        .ask(move |store| {
            let caller = Caller {
                account: &account,
                organization: organization.as_deref(),
            };
            store.version_for(&caller, &layer.place, &layer.name, number)
        })
        .await?;
    Ok(whole(call, &version).into_response())
}

fn whole(call: &Call, version: &LayerVersion) -> Json<Value> {
    Json(shape::layer_version(
        version,
        &snapshots::location(&call.base, version),
    ))
}

/// The layer that the path names, by its name or its ARN.
fn named(call: &Call) -> Result<Named, Fault> {
    let reference = Reference::check_layer(call.part("layer"))?;
    Ok(Named {
        place: reference.place.unwrap_or_else(|| call.place.clone()),
        name: reference.name,
    })
}

/// Only the own account may change or list anything.
fn own(call: &Call, layer: &Named, action: &str) -> Result<(), Fault> {
    reachable(call, layer)?;
    match layer.place.account() == call.place.account() {
        true => Ok(()),
        false => Err(Fault::new(
            Code::AccessDenied,
            format!(
                "User: arn:aws:iam::{}:user/optfs is not authorized to perform: lambda:{action} on resource: {}",
                call.place.account(),
                layer.place.layer_arn(&layer.name)
            ),
        )),
    }
}

/// A region knows nothing of others.
fn reachable(call: &Call, layer: &Named) -> Result<(), Fault> {
    match layer.place.region() == call.place.region() {
        true => Ok(()),
        false => Err(Fault::new(
            Code::ResourceNotFound,
            format!(
                "Layers from '{}' are not reachable in this region ('{}')",
                layer.place.region(),
                call.place.region()
            ),
        )),
    }
}

/// The version that the path names.
fn number(call: &Call) -> Result<u64, Fault> {
    let word = call.part("version");
    match word.parse::<i64>() {
        // The store refuses 0 as AWS does.
        Ok(number) => Ok(u64::try_from(number).unwrap_or(0)),
        Err(_) => Err(Fault::serialization(format!(
            "VersionNumber: {word:?} can not be converted to a Long"
        ))),
    }
}

fn filter(call: &Call) -> Filter {
    let word = |name| call.word(name).map(str::to_owned);
    Filter {
        runtime: word("CompatibleRuntime"),
        architecture: word("CompatibleArchitecture"),
    }
}
