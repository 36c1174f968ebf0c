//! The tables there are, and for which versions.

use super::Product::{self, Consul, Docker, Nomad, Traefik};

/// A table's product, the version since which it holds, and its texts: a later one adds to the
/// earlier ones, and takes away what stands behind a `-`.
pub(super) type Source = (Product, &'static [u32], &'static [&'static str]);

const CONSUL_1_21: &str = include_str!("tables/consul-1.21.txt");
const CONSUL_1_22: &str = include_str!("tables/consul-1.22.txt");
const CONSUL_2_0: &str = include_str!("tables/consul-2.0.txt");
const NOMAD_1_10: &str = include_str!("tables/nomad-1.10.txt");
const NOMAD_1_11: &str = include_str!("tables/nomad-1.11.txt");
const NOMAD_2_0: &str = include_str!("tables/nomad-2.0.txt");
const NOMAD_2_0_3: &str = include_str!("tables/nomad-2.0.3.txt");
const NOMAD_2_0_4: &str = include_str!("tables/nomad-2.0.4.txt");
const NVIDIA: &str = include_str!("tables/nomad-device-nvidia.txt");
const DOCKER_20_10: &str = include_str!("tables/docker-20.10.txt");
const DOCKER_28: &str = include_str!("tables/docker-28.txt");
const TRAEFIK_3_7: &str = include_str!("tables/traefik-3.7.txt");
const TRAEFIK_3_7_0: &str = include_str!("tables/traefik-3.7.0.txt");

/// All tables; those of one product stand from the oldest to the newest.
pub(super) const SOURCES: &[Source] = &[
    (Consul, &[1, 21], &[CONSUL_1_21]),
    (Consul, &[1, 22], &[CONSUL_1_22]),
    (Consul, &[2, 0], &[CONSUL_1_22, CONSUL_2_0]),
    (Nomad, &[1, 10], &[NVIDIA, NOMAD_1_10]),
    (Nomad, &[1, 11], &[NVIDIA, NOMAD_1_11]),
    (Nomad, &[2, 0], &[NVIDIA, NOMAD_1_11, NOMAD_2_0]),
    (
        Nomad,
        &[2, 0, 3],
        &[NVIDIA, NOMAD_1_11, NOMAD_2_0, NOMAD_2_0_3],
    ),
    (
        Nomad,
        &[2, 0, 4],
        &[NVIDIA, NOMAD_1_11, NOMAD_2_0, NOMAD_2_0_3, NOMAD_2_0_4],
    ),
    (Docker, &[20, 10], &[DOCKER_20_10]),
    (Docker, &[28], &[DOCKER_20_10, DOCKER_28]),
    (Docker, &[29], &[DOCKER_20_10, DOCKER_28]),
    (Traefik, &[3, 7], &[TRAEFIK_3_7, TRAEFIK_3_7_0]),
    (Traefik, &[3, 7, 12], &[TRAEFIK_3_7]),
];
