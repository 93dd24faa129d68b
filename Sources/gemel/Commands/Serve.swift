import ArgumentParser
import CLinux
import Configuration
import Controller
import Foundation
import Management
import Primitives

/// `gemel serve FILE --controller NAME`
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run one controller as a service, under systemd or gemel up.",
        discussion: "SIGTERM is a clean stop. Exit code 79 asks the service manager to start it anew at once.")

    @Argument(help: "The configuration.") var file: String
    @Option(help: "The controller, a or b.") var controller: String
    @OptionGroup var state: StateOptions
    @Option(help: .hidden) var supervised: Int32?

    func validate() throws {
        guard ControllerID.allCases.contains(where: { $0.name == controller }) else {
            throw ValidationError("'\(controller)' is no controller; --controller a or --controller b")
        }
    }

    func run() throws {
        if let supervised { try Self.dieWith(supervised) }
        let runtime = RuntimeFolder.process
        var configuration = try Configuration.load(file: file, state: state.state)
        let array = configuration.description
        guard let own = array.controllers.first(where: { $0.id.name == controller }) else {
            throw StartError(.usage, "array \(array.name) has no controller \(controller)")
        }
        var locks: [ProcessLock] = []
        if supervised == nil {
            try StartChecks.secret(configuration)
            try StartChecks.accessSecrets(configuration)
            try StartChecks.devices(configuration)
            try StateFolder.makeFolder(configuration.stateFolder)
            try runtime.make(array: array.name)
            locks = try configuration.lock([own.id], runtime)
            try StartChecks.ports(own, isPair: array.controllers.count == 2)
            configuration = try StateFolder(configuration.stateFolder).prepare(configuration)
        } else {
            configuration = try StateFolder(configuration.stateFolder).identified(configuration)
        }
        let signals = StopSignals()
        let hosting = makeHosting(
            configuration.description, controller: own.id, state: configuration.stateFolder,
            run: runtime.folder(array: array.name))
        try hosting.start()
        let service = ControllerService(configuration.plan, own.id, portals: own.portals, hosting: hosting)
        let socket = runtime.controllerSocket(array: array.name, controller: controller)
        try APIListeners.start(service, on: [.unix(path: socket)])
        let notification = ServiceNotification()
        signals.onFirst {
            notification.stopping()
            hosting.stop()
        }
        Self.watch(hosting, notification)
        let (status, sentence) = hosting.waitUntilEnded().outcome
        unlink(socket)
        if let sentence { Console.complain("gemel: controller \(controller): \(sentence)") }
        withExtendedLifetime(locks) {}
        Foundation.exit(status.rawValue)
    }

    /// Ends with the supervisor, whatever ends it: an orphan would hold portals and serve on unseen. SIGKILL, since a
    /// stopped process hears nothing else; what was acknowledged is in the memory file or on the devices.
    private static func dieWith(_ supervisor: Int32) throws(StartError) {
        guard gemel_set_parent_death_signal(SIGKILL) == 0 else {
            throw StartError(.software, "the parent-death signal cannot be set: \(String(cString: strerror(errno)))")
        }
        // It may have ended before the call.
        guard getppid() == supervisor else { throw StartError(.unavailable, "the supervisor has ended") }
    }

    /// Says when hosts are answered, and feeds the watchdog as long as the controller answers.
    private static func watch(_ hosting: any ControllerHosting, _ notification: ServiceNotification) {
        Thread.detachNewThread {
            var isReady = false
            var nextBeat: Int64 = 0
            while true {
                let status = hosting.status()
                if !isReady, status.serving {
                    isReady = true
                    notification.ready()
                }
                if let period = notification.watchdogPeriod, Clock.milliseconds() >= nextBeat {
                    notification.alive()
                    nextBeat = Clock.milliseconds() + period
                }
                // A controller that serves is looked at for the watchdog only.
                usleep(isReady ? 500_000 : 20_000)
            }
        }
    }
}

/// SIGTERM, SIGINT and SIGHUP as a call. Made before any other thread, so that all of them leave the signals alone.
private struct StopSignals {
    private static let numbers = [SIGTERM, SIGINT, SIGHUP]

    private static var set: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        return set
    }

    init() {
        var set = Self.set
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Calls `action` at the first signal; the second one ends the process.
    func onFirst(_ action: @escaping @Sendable () -> Void) {
        Thread.detachNewThread {
            var set = Self.set
            var number: Int32 = 0
            sigwait(&set, &number)
            action()
            sigwait(&set, &number)
            Foundation.exit(128 + number)
        }
    }
}
