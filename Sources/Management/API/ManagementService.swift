/// What stands behind the API: the supervisor of a pair, or one controller. Calls come from any task.
package protocol ManagementService: Sendable {
    /// The state now, from what is known; never waits for a controller.
    func status() async -> PairStatus
    /// Makes a controller home of a unit (all of them: nil), and returns when it is.
    func moveHome(lun: UInt16?, to controller: String) async throws(ManagementRefusal)
    /// Moves every unit to the controller that it prefers.
    func failback() async throws(ManagementRefusal)
    /// Begins or ends maintenance of a controller, and returns when it is so.
    func maintenance(_ controller: String, _ isOn: Bool) async throws(ManagementRefusal)
    /// Puts a fault into effect, and returns when it is. True when it was not there before.
    func add(_ fault: Fault) async throws(ManagementRefusal) -> Bool
    /// Takes a fault away, and returns when it is gone. Throws `notFound` for an unknown name.
    func remove(fault name: String) async throws(ManagementRefusal)
    /// Takes every fault away.
    func reset() async throws(ManagementRefusal)
}

/// A request that is not done: the HTTP status, and a sentence that says why and what would be right.
package struct ManagementRefusal: Error, Equatable, Sendable {
    package var status: Int
    package var message: String

    package init(status: Int, message: String) {
        self.status = status
        self.message = message
    }

    package static func badRequest(_ message: String) -> Self { Self(status: 400, message: message) }
    package static func notFound(_ message: String) -> Self { Self(status: 404, message: message) }
    package static func conflict(_ message: String) -> Self { Self(status: 409, message: message) }
    package static func unavailable(_ message: String) -> Self { Self(status: 503, message: message) }
    package static func timedOut(_ message: String) -> Self { Self(status: 504, message: message) }
}
