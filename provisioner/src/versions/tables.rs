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
const DOCKER_23: &str = include_str!("tables/docker-23.txt");
const DOCKER_24: &str = include_str!("tables/docker-24.txt");
const DOCKER_25: &str = include_str!("tables/docker-25.txt");
const DOCKER_26: &str = include_str!("tables/docker-26.txt");
const DOCKER_28: &str = include_str!("tables/docker-28.txt");
const DOCKER_29: &str = include_str!("tables/docker-29.txt");
const TRAEFIK_3_7: &str = include_str!("tables/traefik-3.7.txt");
const TRAEFIK_3_7_0: &str = include_str!("tables/traefik-3.7.0.txt");

/// Docker's texts, of which a line has those up to its own.
const DOCKER: &[&str] = &[
    DOCKER_20_10,
    DOCKER_23,
    DOCKER_24,
    DOCKER_25,
    DOCKER_26,
    DOCKER_28,
    DOCKER_29,
];

const fn docker(texts: usize) -> &'static [&'static str] {
    DOCKER.split_at(texts).0
}

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
    (Docker, &[20, 10], docker(1)),
    (Docker, &[23], docker(2)),
    (Docker, &[24], docker(3)),
    (Docker, &[25], docker(4)),
    (Docker, &[26], docker(5)),
    (Docker, &[27], docker(5)),
    (Docker, &[28], docker(6)),
    (Docker, &[29], docker(7)),
    (Traefik, &[3, 7], &[TRAEFIK_3_7, TRAEFIK_3_7_0]),
    (Traefik, &[3, 7, 12], &[TRAEFIK_3_7]),
];
