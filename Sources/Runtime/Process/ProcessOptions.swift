/// Where a controller's process lives, and how it talks.
package struct ProcessOptions: Sendable {
    /// Folder of the sockets, `/run/gemel/ARRAY`; it exists.
    package var runDirectory: String
    /// What relative paths of the description mean.
    package var stateDirectory: String
    /// SIGTERM and SIGINT ask for a clean stop. Off when several controllers share a process.
    package var handlesSignals = true
    /// The most connections, the channel's included.
    package var maximumStreams = 1024
    /// Takes one line for people, from any thread.
    package var log: @Sendable (String) -> Void

    package init(runDirectory: String, stateDirectory: String, log: @escaping @Sendable (String) -> Void) {
        self.runDirectory = runDirectory
        self.stateDirectory = stateDirectory
        self.log = log
    }

    /// A path of the description, made absolute.
    package func resolve(_ path: String) -> String { path.hasPrefix("/") ? path : "\(stateDirectory)/\(path)" }

    /// Socket on which a controller gives its window to its partner.
    package func windowSocket(_ controller: String) -> String { "\(runDirectory)/window-\(controller).sock" }
}
