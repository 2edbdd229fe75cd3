//! The management server: enrolment, agent connections, configuration, heartbeats.
