//! How the agents come to the server: each over a connection of its own, or many behind a gateway. They enrol as real
//! ones do; a gateway waits for `watchkeeper gateways approve`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};
use watchkeeper_wire::proto::agent_client::AgentClient;
use watchkeeper_wire::proto::enrol_response::Outcome;
use watchkeeper_wire::proto::enrolment_client::EnrolmentClient;
use watchkeeper_wire::proto::{EnrolRequest, Issued, Machine};
use watchkeeper_wire::{MAX_MESSAGE_BYTES, PinnedAuthority, SPEAKS_FOR, signing_request, with_port};

/// As agents and gateways do it.
const KEEPALIVE: Duration = Duration::from_secs(20);
const CONNECT_DEADLINE: Duration = Duration::from_secs(30);
const GATEWAY_WINDOW: u32 = 16 << 20;
/// Connections from one address: below the range of ports for outgoing connections.
const PER_ADDRESS: usize = 10_000;

/// The management server and what lets agents in.
#[derive(Debug, Clone)]
pub struct Server {
    pub address: String,
    pub authority_pem: String,
    pub token: String,
}

/// How sessions of agents reach the server.
#[derive(Clone)]
pub enum Way {
    /// Its own connection with its own certificate, from this address.
    Direct { identity: Identity, from: IpAddr },
    /// A stream of this gateway's connection.
    Gateway(Channel),
}

/// An enrolled agent.
#[derive(Clone)]
pub struct Enrolled {
    pub agent_id: String,
    pub machine: Machine,
    pub way: Way,
}

impl Server {
    async fn connect(&self, identity: Option<Identity>, from: Option<IpAddr>) -> anyhow::Result<Channel> {
        let mut tls = ClientTlsConfig::new();
        let gateway = identity.is_some() && from.is_none();
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        let mut endpoint = Endpoint::from_shared(format!("https://{}", with_port(&self.address)))?
            .connect_timeout(CONNECT_DEADLINE)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(CONNECT_DEADLINE)
            .keep_alive_while_idle(true)
            .local_address(from)
            .tls_config_with_verifier(tls, Arc::new(PinnedAuthority::from_pem(&self.authority_pem)?))?;
        if gateway {
            endpoint = endpoint.initial_connection_window_size(GATEWAY_WINDOW);
        }
        Ok(endpoint.connect().await?)
    }

    /// A channel without a certificate, for enrolment.
    pub async fn anonymous(&self) -> anyhow::Result<Channel> {
        self.connect(None, None).await.with_context(|| format!("cannot connect to {}", self.address))
    }

    async fn enrol(&self, channel: Channel, machine: Machine, names: Vec<String>) -> anyhow::Result<(String, Issued)> {
        let (key, signing_request) = signing_request(None)?;
        loop {
            let request = EnrolRequest {
                token: self.token.clone(),
                signing_request: signing_request.clone(),
                machine: Some(machine.clone()),
                gateway_names: names.clone(),
                ..EnrolRequest::default()
            };
            match EnrolmentClient::new(channel.clone()).enrol(request).await?.into_inner().outcome {
                Some(Outcome::Issued(issued)) => return Ok((key, issued)),
                Some(Outcome::Pending(pending)) if names.is_empty() => {
                    bail!("agent {} has to be approved; set `watchkeeper agents approval auto`", pending.agent_id)
                }
                Some(Outcome::Pending(_)) => tokio::time::sleep(Duration::from_secs(1)).await,
                None => bail!("an answer to the enrolment that this simulator does not know"),
            }
        }
    }

    /// Enrols a gateway and opens its connection; waits until it is approved.
    pub async fn gateway(&self, number: usize) -> anyhow::Result<Channel> {
        let name = format!("simulated-gateway-{number}.example");
        let machine = Machine { computer: name.clone(), ..Machine::default() };
        let (key, issued) = self.enrol(self.anonymous().await?, machine, vec![name]).await?;
        self.connect(Some(Identity::from_pem(issued.certificate_pem, key)), None).await
    }

    /// Enrols an agent, through its gateway where it has one.
    pub async fn agent(&self, number: usize, enrolment: Channel, gateway: Option<Channel>) -> anyhow::Result<Enrolled> {
        let machine = machine(number);
        let (key, issued) = self.enrol(gateway.clone().unwrap_or(enrolment), machine.clone(), Vec::new()).await?;
        let way = match gateway {
            Some(channel) => Way::Gateway(channel),
            None => Way::Direct { identity: Identity::from_pem(issued.certificate_pem, key), from: address(number) },
        };
        Ok(Enrolled { agent_id: issued.agent_id, machine, way })
    }

    /// The client of an agent's session and its request.
    pub async fn session<T>(&self, agent: &Enrolled, stream: T) -> anyhow::Result<(AgentClient<Channel>, Request<T>)> {
        let mut request = Request::new(stream);
        let channel = match &agent.way {
            Way::Direct { identity, from } => self.connect(Some(identity.clone()), Some(*from)).await?,
            Way::Gateway(channel) => {
                request.metadata_mut().insert(SPEAKS_FOR, MetadataValue::try_from(&agent.agent_id)?);
                channel.clone()
            }
        };
        let client = AgentClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Ok((client, request))
    }
}

/// A loopback address with room for an agent's connection.
fn address(number: usize) -> IpAddr {
    let step = u8::try_from(number / PER_ADDRESS % 200).unwrap_or(0);
    IpAddr::V4(Ipv4Addr::new(127, 0, 1, 1 + step))
}

fn machine(number: usize) -> Machine {
    let [a, b, c, d] = u32::try_from(number).unwrap_or(0).to_be_bytes();
    Machine {
        computer: format!("simulated-{number:05}.example"),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        os_type: "Linux".to_owned(),
        os_name: "Debian GNU/Linux 13 (trixie)".to_owned(),
        os_major_version: "13".to_owned(),
        os_minor_version: "0".to_owned(),
        source_computer_id: uuid::Uuid::new_v4().to_string(),
        vm_uuid: String::new(),
        private_addresses: vec![Ipv4Addr::new(10 | a, b, c, d).to_string()],
    }
}
