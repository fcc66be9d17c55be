//! The embedded queue, the embedded state and folders, behind the ports.
