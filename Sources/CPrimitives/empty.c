// The shim is header-only; this file makes it a target that SwiftPM can build.
