//! From outside to a user's job: Traefik, its certificates, and a route by name.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use federation::count::counted;
use federation::names::{DatacenterName, DomainName, NamespaceName};
use federation::nomad;
use ureq::config::Config;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::host::Endpoint;
use crate::plan::{Authority, Gateway, Wildcards};
use crate::progress::Event;
use crate::verify::probe::{last_event, not_placed};
use crate::verify::{Answer, Told, Verifier, jobs, wait::wait};

/// How long a route may take: placement, image, catalog and Traefik's own pace.
const LIMIT: Duration = Duration::from_secs(90);

impl Verifier<'_> {
    /// The gateway's job runs, and Traefik answers on its address.
    pub(super) fn traefik(nomad: &Endpoint, gateway: &Gateway) -> Answer {
        let id = &gateway.job_id;
        let job = nomad
            .ask(&nomad::job(id, "default"))
            .map_err(|error| error.to_string())?;
        let job =
            job.ok_or_else(|| format!("Nomad has no job {id}; `atoll apply --deep` starts it"))?;
        let allocations = nomad
            .ask(&nomad::allocations(id, "default"))
            .map_err(|error| error.to_string())?;
        let running = allocations
            .iter()
            .any(|allocation| allocation.client_status == "running");
        if job.status != "running" || !running {
            return Err(format!(
                "the job {id} is {}: {}",
                job.status,
                last_event(&allocations)
            ));
        }
        std::net::TcpStream::connect_timeout(
            &SocketAddr::new(gateway.public_address, 443),
            Duration::from_secs(5),
        )
        .map_err(|error| format!("{}:443 does not answer: {error}", gateway.public_address))?;
        Ok(format!("{id} runs on {}", gateway.node))
    }

    /// Traefik shows a certificate for each of its names, signed by whom the plan says.
    pub(super) fn certificates(&self, gateway: &Gateway) -> Answer {
        let zones = gateway.certificates.zones();
        for zone in &zones {
            let url = format!("https://atoll-certificate.{zone}/");
            self.fetch(&url, gateway)
                .map_err(|error| format!("{zone}: {error}"))?;
        }
        Ok(format!(
            "good for {}",
            counted(zones.len(), "parent domain")
        ))
    }

    /// Proves a route for each namespace that a site serves, if its gateway is among the chosen.
    /// The job may come to any client of the site, as a user's would.
    pub(super) fn routes(&self, told: &mut Told, nomad: &Endpoint, datacenter: &DatacenterName) {
        let Some(gateway) = self
            .plan
            .services
            .gateways
            .iter()
            .find(|gateway| &gateway.datacenter == datacenter)
        else {
            return;
        };
        let Some((_, client)) = self
            .workers()
            .find(|(host, client)| &host.datacenter == datacenter && client.compute)
        else {
            return;
        };
        let unready = (self.workers())
            .filter(|(host, _)| &host.datacenter == datacenter)
            .all(|(host, _)| told.broken.contains(host.node.as_str()));
        let blocked = if unready {
            Some("no client of the site is ready")
        } else if told.broken.contains(gateway.node.as_str()) {
            Some("the gateway does not work")
        } else {
            None
        };
        for namespace in &client.namespaces {
            let Some(parent) = self.plan.services.domains.get(namespace) else {
                continue;
            };
            let subject = format!("{namespace}.{datacenter}");
            if let Some(why) = blocked {
                told.not_tried("route", &subject, why);
                continue;
            }
            self.listener.tell(Event::Federation {
                doing: format!("proving the route of {subject}"),
            });
            let answer = self.route(nomad, gateway, (namespace, parent, client.domain.as_str()));
            told.tell("route", &subject, answer);
        }
    }

    fn route(
        &self,
        nomad: &Endpoint,
        gateway: &Gateway,
        (namespace, parent, domain): (&NamespaceName, &DomainName, &str),
    ) -> Answer {
        // Two routers of one name would make Traefik drop both, so the namespace is in it.
        let run = self.run.to_ascii_lowercase();
        let id = format!(
            "atoll-verify-{}-{run}",
            namespace.as_str().to_ascii_lowercase().replace('_', "-")
        );
        let word = format!("{id}-answers");
        let job = jobs::route(&jobs::Route {
            id: &id,
            namespace,
            parent,
            datacenter: &gateway.datacenter,
            image: &self.plan.services.probe_image,
            word: &word,
        });
        let registered = nomad.ask(&nomad::register_job(namespace.as_str(), &job));
        let url = format!("https://{id}-api.{domain}-{parent}/");
        let answer = registered.map_err(|error| error.to_string()).and_then(|_| {
            wait(LIMIT, self.stop, || match self.fetch(&url, gateway) {
                Ok((200, body)) if body.trim() == word => Ok(format!("{url} answers")),
                Ok((status, _)) => Err(format!(
                    "{url} answers {status}: {}",
                    why(nomad, &id, namespace)
                )),
                Err(error) => Err(format!("{url}: {error}")),
            })
        });
        if answer.is_err() || !self.keep {
            let _ = nomad.ask(&nomad::purge_job(&id, namespace.as_str()));
        }
        answer
    }

    /// Gets a page by name from a gateway, as a user would whose DNS says so.
    fn fetch(&self, url: &str, gateway: &Gateway) -> Result<(u16, String), String> {
        let tls = TlsConfig::builder()
            .root_certs(self.trusted(gateway)?)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let config = Config::builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(5)))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .build();
        let agent = ureq::Agent::with_parts(
            config,
            DefaultConnector::default(),
            Fixed(gateway.public_address),
        );
        let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(1 << 16)
            .read_to_string()
            .map_err(|error| error.to_string())?;
        Ok((status, body))
    }

    /// Whose signature a gateway's certificates must have: ours, or one that browsers know.
    fn trusted(&self, gateway: &Gateway) -> Result<RootCerts, String> {
        if !matches!(gateway.certificates, Wildcards::Issued(_)) {
            return Ok(RootCerts::WebPki);
        }
        let authority = self
            .store
            .authority(Authority::Atoll)
            .ok_or("the operator's store has no Atoll authority")?;
        let root = Certificate::from_pem(authority.certificate_pem.as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(RootCerts::Specific(Arc::new(vec![root])))
    }
}

/// Why a route has no answer: the job, or what is between.
fn why(nomad: &Endpoint, id: &str, namespace: &NamespaceName) -> String {
    let allocations = nomad
        .ask(&nomad::allocations(id, namespace.as_str()))
        .unwrap_or_default();
    if allocations.is_empty() {
        return not_placed(nomad, id, namespace.as_str());
    }
    if allocations
        .iter()
        .any(|allocation| allocation.client_status == "running")
    {
        return "the job runs, but Traefik has no route to it".to_owned();
    }
    last_event(&allocations)
}

/// Every name lies at one address.
struct Fixed(IpAddr);

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "always {}", self.0)
    }
}

impl Resolver for Fixed {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(SocketAddr::new(self.0, uri.port_u16().unwrap_or(443)));
        Ok(addresses)
    }
}
