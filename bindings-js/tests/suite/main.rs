//! Behaviour of the JavaScript front end, through its public interface, on a real store.
#![allow(clippy::unwrap_used, reason = "tests")]

mod attestation;
mod auth;
mod bundle;
mod ccf_app;
mod converters;
mod crypto;
mod default_constitution;
mod endurance;
mod governance;
mod historical;
mod hostile;
mod isolation;
mod kv;
mod limits;
mod modules;
mod request;
mod response;
mod support;
mod surface;
mod web;
