//! The real roles, each started as a process of the world.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use landfall_api::{ApiOptions, ApiState, Limits, Rate};
use landfall_common::ports::{Mail, MailError, Mailer, SealError, Sealed, Sealer};
use landfall_common::records::Records;
use landfall_common::{Phase, WorkerId};
use landfall_scheduler::{Letterhead, SchedulerOptions, SchedulerParts};
use landfall_testkit::simulation::{Network, ProcessId, SimQueue, SimStaging, SimStore, draw_id};
use landfall_worker::worker::{WorkerOptions, WorkerParts};
use rand::Rng;
use tokio_util::sync::CancellationToken;

use crate::clients::{Clients, OPERATOR};
use crate::phases::SimPhase;
use crate::process::Process;
use crate::scene::Scene;

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Api,
    Scheduler,
    Worker,
}

/// Starts one at the world's present.
pub(crate) fn start(scene: &Arc<Scene>, role: Role, id: ProcessId, drain: CancellationToken) -> Process {
    let network = scene.world.network(id);
    let records = Records::new(Arc::new(SimStore::new(network.clone())), draw_id);
    let (now, rate) = {
        let mut world = scene.world.lock();
        world.note("starts", &format_args!("{role:?} {}", id.0));
        (world.now(), world.rng.random_range(0.99..1.01))
    };
    match role {
        Role::Api => {
            let clients = Clients { scene: scene.clone(), router: api(records) };
            Process::start(id, now, rate, async move {
                clients.run().await;
                drain.cancelled().await;
            })
        }
        Role::Scheduler => {
            let parts = SchedulerParts {
                records,
                queue: Arc::new(SimQueue::new(network.clone())),
                mailer: Arc::new(SimMailer { network }),
            };
            let slots = Phase::ALL.map(|phase| (phase, scene.slots)).into();
            let options =
                SchedulerOptions { rest: scene.rest, ..SchedulerOptions::usual(slots, letterhead()) };
            Process::start(id, now, rate, async move {
                landfall_scheduler::run(parts, options, drain).await;
            })
        }
        Role::Worker => {
            let (parts, options) = worker(scene, records, network);
            Process::start(id, now, rate, async move {
                let _ = landfall_worker::worker::run(parts, options, drain).await;
            })
        }
    }
}

fn api(records: Records) -> axum::Router {
    // Rates are measured by a clock that the world does not hold.
    let wide = Rate::new(Duration::from_micros(1), 1_000_000);
    landfall_api::router(ApiState::new(ApiOptions {
        records,
        queue: None,
        sealer: Arc::new(PlainSealer),
        bootstrap_token: Some(OPERATOR.into()),
        public_url: "https://landfall.test/".parse().expect("a URL"),
        metrics: None,
        plugin_zip: None,
        limits: Limits { per_address: wide, per_token: wide, enrolments: wide, ..Limits::default() },
    }))
}

fn worker(scene: &Arc<Scene>, records: Records, network: Network) -> (WorkerParts, WorkerOptions) {
    let phase = Arc::new(SimPhase { scene: scene.clone(), network: network.clone() });
    let parts = WorkerParts {
        records,
        queue: Arc::new(SimQueue::new(network.clone())),
        staging: Arc::new(SimStaging::new(network)),
        sealer: Arc::new(PlainSealer),
        phases: Phase::ALL.into_iter().map(|name| (name, phase.clone() as _)).collect::<BTreeMap<_, _>>(),
        noop: phase,
    };
    let slots = Phase::ALL.map(|phase| (phase, scene.slots)).into();
    let id = WorkerId::from_uuid(draw_id());
    (parts, WorkerOptions { slice_budget: scene.slice_budget, ..WorkerOptions::usual(id, slots) })
}

fn letterhead() -> Letterhead {
    Letterhead {
        brand: "Landfall".to_owned(),
        support_address: "migrations@example.org".to_owned(),
        dashboard_url: "https://example.org/{site}".to_owned(),
        platform_plugins: Vec::new(),
    }
}

/// Hides nothing: what is sealed here is nobody's.
#[derive(Debug)]
struct PlainSealer;

impl Sealer for PlainSealer {
    fn seal(&self, context: &str, plain: &[u8]) -> Sealed {
        Sealed { key_id: context.to_owned(), sealed: String::from_utf8_lossy(plain).into_owned() }
    }

    fn open(&self, context: &str, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        if sealed.key_id == context { Ok(sealed.sealed.clone().into_bytes()) } else { Err(SealError::Broken) }
    }
}

#[derive(Debug)]
struct SimMailer {
    network: Network,
}

#[async_trait]
impl Mailer for SimMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let id = mail.message_id.clone();
        let sent = self.network.call(move |world| {
            world.note("mail", &id);
            Ok(())
        });
        sent.await.map_err(|lost| MailError::Unavailable(Box::new(lost)))
    }
}
