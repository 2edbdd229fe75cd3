//! What agents and gateways ask of this gateway: enrolment and renewal go to the server and back; a session is this
//! gateway's own, so that it goes on while the server is away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use watchkeeper_wire::is_plain_id;
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::agent_server::Agent;
use watchkeeper_wire::proto::enrolment_client::EnrolmentClient;
use watchkeeper_wire::proto::enrolment_server::Enrolment;
use watchkeeper_wire::proto::from_agent::Message as Up;
use watchkeeper_wire::proto::to_agent::Message as Down;
use watchkeeper_wire::proto::{
    Ack, EnrolRequest, EnrolResponse, Envelope, FromAgent, Hello, Lane, RenewRequest, Retry, ToAgent, TrustRequest,
    Trusted,
};

use crate::carry::{Carrier, ToAgentStream, lane_index};
use crate::link::{CALL_DEADLINE, Link, reasons};
use crate::route::{Route, write_via};
use crate::trust::Trust;
use crate::zone::{Zone, now};

const HELLO_DEADLINE: Duration = Duration::from_secs(30);
/// When an agent tries again a batch that was not taken.
const FULL_RETRY: Duration = Duration::from_secs(5);
const TO_AGENT: usize = 16;

/// The services of the agents' port.
#[derive(Clone)]
pub struct Relay {
    pub zone: Arc<Zone>,
    pub link: Arc<Link>,
    pub trust: Arc<Trust>,
}

#[tonic::async_trait]
impl Enrolment for Relay {
    async fn enrol(&self, mut request: Request<EnrolRequest>) -> Result<Response<EnrolResponse>, Status> {
        let via = Route::of_enrolment(&mut request, self.trust.clients())?;
        let mut passed = Request::new(request.into_inner());
        write_via(&via, passed.metadata_mut())?;
        let mut client = EnrolmentClient::new(self.link.channel());
        answer(timeout(CALL_DEADLINE, client.enrol(passed)).await)
    }
}

#[tonic::async_trait]
impl Agent for Relay {
    type SessionStream = ReceiverStream<Result<ToAgent, Status>>;

    async fn session(&self, request: Request<Streaming<FromAgent>>) -> Result<Response<Self::SessionStream>, Status> {
        let route = Route::of(&request, self.trust.clients())?;
        let (down, stream) = mpsc::channel(TO_AGENT);
        let (zone, trust) = (Arc::clone(&self.zone), Arc::clone(&self.trust));
        let shown = request.peer_certs().unwrap_or_default();
        self.zone.spawn(async move {
            let agent_id = route.agent_id.clone();
            let refused = trust.refuses(&shown);
            match serve(&zone, route, request.into_inner(), &down, refused).await {
                Ok(()) => tracing::info!(agent_id, "session ended"),
                Err(status) => {
                    tracing::info!(agent_id, reason = status.message(), "session ended");
                    let _ = down.try_send(Err(status));
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn renew(&self, request: Request<RenewRequest>) -> Result<Response<EnrolResponse>, Status> {
        let route = Route::of(&request, self.trust.clients())?;
        let mut passed = Request::new(request.into_inner());
        route.write(passed.metadata_mut())?;
        let mut client = AgentClient::new(self.link.channel());
        answer(timeout(CALL_DEADLINE, client.renew(passed)).await)
    }

    /// A gateway behind this one asks; what the server said here last is the answer. What waits there is told to the
    /// server with the next question from here.
    async fn trust(&self, request: Request<TrustRequest>) -> Result<Response<Trusted>, Status> {
        let route = Route::of(&request, self.trust.clients())?;
        self.trust.heard(&route.agent_id, request.into_inner().queues);
        Ok(Response::new(self.trust.said()))
    }
}

/// The server's answer as it is; where there is none, that.
fn answer<T>(
    answered: Result<Result<Response<T>, Status>, tokio::time::error::Elapsed>,
) -> Result<Response<T>, Status> {
    match answered {
        Ok(Ok(response)) => Ok(Response::new(response.into_inner())),
        Ok(Err(status)) => Err(Status::new(status.code(), reasons(&status))),
        Err(_) => Err(Status::unavailable("the gateway has no answer from its server")),
    }
}

async fn serve(
    zone: &Arc<Zone>,
    route: Route,
    mut stream: Streaming<FromAgent>,
    down: &ToAgentStream,
    refused: impl Future<Output = Status>,
) -> Result<(), Status> {
    let first = timeout(HELLO_DEADLINE, stream.message()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("no hello came"))??;
    let Some(Up::Hello(hello)) = first.and_then(|first| first.message) else {
        return Err(Status::invalid_argument("a session begins with a hello"));
    };
    let has_urgent = check(&hello)?;
    let carrier = {
        let (zone, down) = (Arc::clone(zone), down.clone());
        blocking(move || zone.attach(&route, hello, down)).await?
    };
    let mut session = Session { zone, carrier: &carrier, down, has_urgent, retries: [0; 2] };
    tokio::pin!(refused);
    let result = loop {
        let message = tokio::select! {
            message = stream.message() => message,
            () = down.closed() => break Ok(()),
            status = &mut refused => break Err(status),
        };
        match message {
            Ok(Some(message)) => match session.take(message).await {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(status) => break Err(status),
            },
            Ok(None) => break Ok(()),
            Err(status) => break Err(status),
        }
    };
    carrier.detach(down);
    result
}

/// Names of queues become names of folders. True when there is an urgent lane.
fn check(hello: &Hello) -> Result<bool, Status> {
    let has_urgent = !hello.urgent_queue_id.is_empty();
    if hello.machine.is_none() || !is_plain_id(&hello.queue_id) || has_urgent && !is_plain_id(&hello.urgent_queue_id) {
        return Err(Status::invalid_argument(
            "a hello describes the machine and names its queue in letters, digits and hyphens",
        ));
    }
    Ok(has_urgent)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| Status::internal("the gateway's queue failed"))?;
    done.map_err(|error| {
        tracing::error!(%error, "the gateway's queue");
        Status::unavailable(format!("the gateway's queue: {error}"))
    })
}

struct Session<'a> {
    zone: &'a Zone,
    carrier: &'a Arc<Carrier>,
    down: &'a ToAgentStream,
    has_urgent: bool,
    /// Retry messages sent, by lane; envelopes that were on their way before the last one are not looked at.
    retries: [u32; 2],
}

impl Session<'_> {
    /// False when the session is another's.
    async fn take(&mut self, message: FromAgent) -> Result<bool, Status> {
        let (present, welcomed) = self.carrier.standing(self.down);
        if !present {
            return Ok(false);
        }
        match message.message {
            Some(Up::Envelope(_)) if !welcomed => {
                return Err(Status::failed_precondition("an agent waits for its welcome before it sends"));
            }
            Some(Up::Envelope(envelope)) => self.keep(envelope).await?,
            Some(Up::Hello(_)) | None => {
                return Err(Status::invalid_argument("a message that does not belong here"));
            }
            Some(message) => self.carrier.pass(message),
        }
        Ok(true)
    }

    async fn keep(&mut self, mut envelope: Envelope) -> Result<(), Status> {
        let (sequence, lane) = (envelope.sequence, envelope.lane());
        if envelope.retries != self.retries[lane_index(lane)] {
            return Ok(());
        }
        if lane == Lane::Urgent && !self.has_urgent {
            return Err(Status::invalid_argument("the hello named no urgent lane"));
        }
        let kept = if self.zone.is_full() {
            Err(Status::resource_exhausted("the gateway's queue is full"))
        } else {
            envelope.kept_at = now();
            let carrier = Arc::clone(self.carrier);
            blocking(move || carrier.append(&envelope)).await
        };
        let message = match kept {
            Ok(()) => Down::Ack(Ack { sequence, refused: String::new(), lane: lane.into() }),
            Err(status) => {
                self.retries[lane_index(lane)] += 1;
                Down::Retry(Retry {
                    sequence,
                    after_milliseconds: u32::try_from(FULL_RETRY.as_millis()).unwrap_or(u32::MAX),
                    reason: status.message().to_owned(),
                    lane: lane.into(),
                })
            }
        };
        let sent = self.down.send(Ok(ToAgent { message: Some(message) })).await;
        sent.map_err(|_| Status::cancelled("the agent has gone"))
    }
}
