//! What the cluster's messages, routes, manifests and old configurations mean: read from a corpus, and under fire.

mod corpus;
mod hostile;
mod manifests;
mod messages;
mod routes;
