import ArgumentParser
import Configuration
import Controller
import Foundation
import Management
import Primitives

/// `gemel up [FILE]`
struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run every controller of a configuration on this machine, supervised. Ctrl-C stops it.")

    @Argument(help: "The configuration.") var file = "targets/pair.yaml"
    @OptionGroup var state: StateOptions
    @Option(help: "Management address, or none (default: 'management' of the file, 127.0.0.1:8080).")
    var management: String?
    @Flag(help: "Leave a controller down that died.") var noRestart = false

    func run() throws {
        let runtime = RuntimeFolder.process
        let configuration = try loaded()
        let array = configuration.description
        // Everything is checked before anything is touched; only the folders of the locks come first.
        try StartChecks.secret(configuration)
        try StartChecks.accessSecrets(configuration)
        try StartChecks.devices(configuration)
        try StateFolder.makeFolder(configuration.stateFolder)
        try runtime.make(array: array.name)
        let locks = try configuration.lock(array.controllers.map(\.id), runtime)
        try StartChecks.ports(configuration)
        let prepared = try StateFolder(configuration.stateFolder).prepare(configuration)
        let code = try supervise(prepared, runtime)
        withExtendedLifetime(locks) {}
        Foundation.exit(code)
    }

    /// The configuration with the options of the command.
    private func loaded() throws -> Configuration {
        var configuration = try Configuration.load(file: file, state: state.state)
        if let management {
            if management == "none" {
                configuration.management = nil
            } else {
                do throws(NetworkAddress.Flaw) {
                    configuration.management = try NetworkAddress(parsing: management)
                } catch {
                    throw StartError(.usage, "--management: \(error.message)")
                }
                guard configuration.management?.isLoopback == true else {
                    throw StartError(
                        .usage, "--management: \(management) can be reached by others; choose 127.0.0.1:PORT")
                }
            }
        }
        return configuration
    }

    private func supervise(_ configuration: Configuration, _ runtime: RuntimeFolder) throws -> Int32 {
        let array = configuration.description
        var options = Supervisor.Options(
            startAnewCode: ExitStatus.startAnew.rawValue,
            refusalCodes: [ExitStatus.usage, .noInput, .configuration].map(\.rawValue).reduce(into: []) {
                $0.insert($1)
            })
        options.restart = !noRestart
        let announcer = Announcer(configuration)
        let supervisor: Supervisor
        do throws(Errno) {
            supervisor = try Supervisor(
                configuration.plan, try controllers(configuration, runtime), options: options,
                report: announcer.announce)
        } catch {
            throw StartError(.inputOutput, "the supervisor cannot start: \(error)")
        }
        var addresses = [ManagementServer.Address.unix(path: runtime.pairSocket(array: array.name))]
        if let management = configuration.management {
            addresses.append(.tcp(host: management.host, port: management.port))
        }
        try APIListeners.start(PairService(supervisor), on: addresses)
        let code = supervisor.run()
        unlink(runtime.pairSocket(array: array.name))
        Console.complain(code == 0 ? "stopped" : "stopped with exit code \(code)")
        return code
    }

    /// How each controller is started: this program again, as `serve`.
    private func controllers(
        _ configuration: Configuration, _ runtime: RuntimeFolder
    ) throws(Errno) -> [SupervisedController] {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { throw Errno(code: errno) }
        let program = String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let array = configuration.description
        return array.controllers.map { controller in
            SupervisedController(
                name: controller.id.name,
                command: [
                    program, "serve", file, "--controller", controller.id.name, "--state", configuration.stateFolder,
                    "--supervised", "\(getpid())",
                ],
                socketPath: runtime.controllerSocket(array: array.name, controller: controller.id.name),
                portals: controller.portals)
        }
    }
}
