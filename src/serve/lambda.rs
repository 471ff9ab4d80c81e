//! Lambda's routes: which operation a method and a path mean.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{delete, get, post, put};
use hyper::{Request, Uri};
use tower::ServiceExt;

use super::desk::Desk;
use super::fault::{Code, Fault};
use super::{functions, layers};

/// Answers a request to Lambda. Paths are split before their parts are decoded, so that a part may hold a slash.
pub(super) async fn answer(desk: Desk, mut request: Request<Body>) -> Response {
    if let Some(uri) = without_slash(request.uri()) {
        *request.uri_mut() = uri;
    }
    let routes = Router::new()
        .route("/2018-10-31/layers", get(layers::list))
        .route(
            "/2018-10-31/layers/{layer}/versions",
            get(layers::list_versions).post(layers::publish),
        )
        .route(
            "/2018-10-31/layers/{layer}/versions/{version}",
            get(layers::get).delete(layers::delete),
        )
        .route(
            "/2018-10-31/layers/{layer}/versions/{version}/policy",
            get(layers::policy).post(layers::permit),
        )
        .route(
            "/2018-10-31/layers/{layer}/versions/{version}/policy/{statement}",
            delete(layers::revoke),
        )
        .route(
            "/2015-03-31/functions",
            get(functions::list).post(functions::create),
        )
        .route(
            "/2015-03-31/functions/{function}",
            get(functions::get).delete(functions::delete),
        )
        .route(
            "/2015-03-31/functions/{function}/configuration",
            get(functions::configuration).put(functions::update),
        )
        .route("/2015-03-31/functions/{function}/code", put(functions::recode))
        .route(
            "/2015-03-31/functions/{function}/invocations",
            post(functions::invoke),
        )
        .route(
            "/2015-03-31/functions/{function}/versions",
            get(functions::versions).post(functions::publish),
        )
        .route("/2016-08-19/account-settings", get(functions::account))
        .route(
            "/2017-03-31/tags/{arn}",
            get(functions::tags).post(functions::tag).delete(functions::untag),
        )
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(desk);
    routes
        .oneshot(request)
        .await
        .unwrap_or_else(|never| match never {})
}

async fn unknown(request: Request<Body>) -> Fault {
    let (method, path) = (request.method(), request.uri().path());
    Fault::new(
        Code::UnknownOperation,
        format!("optfs serve has no operation {method} {path}"),
    )
}

/// Older clients write one more slash.
fn without_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/').filter(|path| !path.is_empty())?;
    let query = uri.query().map_or(String::new(), |query| format!("?{query}"));
    format!("{path}{query}").parse().ok()
}
