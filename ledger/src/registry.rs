//! Registries: see below.
