import Foundation
import Management
import Synchronization

/// Requests of the management API, as the HTTP library would give them: an answer with a status that the API has, and
/// JSON where it says so.
///
/// An input is lines: method, path, host, origin, content type (a line `-`: the header is missing), then the body.
enum ManagementTarget {
    private static let statuses: Set<Int> = [200, 201, 400, 403, 404, 405, 409, 413, 415, 421, 503]

    static func run(_ input: inout FuzzInput, _ oracle: Oracle) {
        let bytes = input.rest()
        let lines = bytes.split(separator: 10, maxSplits: 5, omittingEmptySubsequences: false)
        func line(_ index: Int) -> String {
            index < lines.count ? String(decoding: lines[index], as: UTF8.self) : ""
        }
        func header(_ index: Int) -> String? { line(index) == "-" ? nil : line(index) }
        let request = APIRequest(
            method: line(0), path: line(1), host: header(2), origin: header(3), contentType: header(4),
            body: lines.count > 5 ? Data(lines[5]) : Data())
        let answer = Answer()
        let caller = CallerExecutor()
        Task(executorPreference: caller) {
            let router = ManagementRouter(service: QuietService(), port: 8080)
            answer.response = await router.respond(to: request)
        }
        caller.run()
        guard let response = answer.response else { return oracle.expect(false, "no answer") }
        oracle.expect(statuses.contains(response.status), "status \(response.status)")
        oracle.expect((response.status == 405) == (response.allow != nil), "Allow with status \(response.status)")
        if response.contentType == "application/json" {
            let json = try? JSONSerialization.jsonObject(with: response.body, options: .fragmentsAllowed)
            oracle.expect(json != nil, "an answer that is no JSON")
        }
    }

    /// Runs tasks on the thread that calls `run`: to wait for another thread would take one of the few that tasks have.
    private final class CallerExecutor: TaskExecutor {
        private let jobs = Mutex<[UnownedJob]>([])

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            jobs.withLock { $0.append(job) }
        }

        func run() {
            while let job = jobs.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) {
                job.runSynchronously(on: asUnownedTaskExecutor())
            }
        }
    }

    /// Where the task puts its answer; one thread runs the task and reads it.
    private final class Answer: @unchecked Sendable {
        var response: APIResponse?
    }

    /// A pair to which nothing happens.
    private struct QuietService: ManagementService {
        func status() async -> PairStatus {
            PairStatus(
                PairStatus.Plan(array: "fuzz", targets: ["iqn.2026-11.io.gemel:fuzz"], units: []), controllers: [],
                faults: [], wasReady: false)
        }
        func moveHome(lun: UInt16?, to controller: String) async throws(ManagementRefusal) {
            if let lun, lun > 1 { throw .notFound("no logical unit has this number") }
        }
        func failback() async throws(ManagementRefusal) {}
        func maintenance(_ controller: String, _ isOn: Bool) async throws(ManagementRefusal) {
            if controller != "a" && controller != "b" { throw .notFound("no controller is called that") }
        }
        func add(_ fault: Fault) async throws(ManagementRefusal) -> Bool { true }
        func remove(fault name: String) async throws(ManagementRefusal) { throw .notFound("no fault is called that") }
        func reset() async throws(ManagementRefusal) {}
    }
}
