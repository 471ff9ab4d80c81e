//! What all requests share: the store, who is who, and the one way to ask the store, whose answers may wait for the disk and for
//! locks.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Options;
use super::door::Hosts;
use super::fault::Fault;
use crate::store::{Place, Store, StoreError};

/// Questions to the store at once. Each may wait for a lock that another process has.
pub(super) const STORE_CALLS: usize = 16;

/// What all requests share.
#[derive(Clone)]
pub(super) struct Desk(Arc<Inside>);

struct Inside {
    store: Store,
    here: Place,
    organization: Option<String>,
    hosts: Hosts,
    calls: Semaphore,
}

impl Desk {
    pub(super) fn new(store: Store, options: &Options, address: SocketAddr) -> Desk {
        Desk(Arc::new(Inside {
            store,
            here: options.here.clone(),
            organization: options.organization.clone(),
            hosts: Hosts::new(address, &options.names),
            calls: Semaphore::new(STORE_CALLS),
        }))
    }

    /// Account and region where a request names none.
    pub(super) fn here(&self) -> &Place {
        &self.0.here
    }

    /// By which names clients may call this server.
    pub(super) fn hosts(&self) -> &Hosts {
        &self.0.hosts
    }

    /// The organization of every account.
    pub(super) fn organization(&self) -> Option<String> {
        self.0.organization.clone()
    }

    /// Asks the store, off the threads that talk to clients.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Fault> {
        Ok(self.ask_plainly(question).await??)
    }

    /// The same, for who has words of his own for what the store refuses.
    pub(super) async fn ask_plainly<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let _turn = self.0.calls.acquire().await;
        let desk = Arc::clone(&self.0);
        apart(move || question(&desk.store)).await
    }
}

/// Does what may wait for the disk, and for nothing else.
pub(super) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
    spawn_blocking(work)
        .await
        .map_err(|error| Fault::service(format!("optfs failed: {error}")))
}
