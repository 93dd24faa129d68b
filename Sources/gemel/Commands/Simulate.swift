import ArgumentParser
import Configuration
import Foundation
import Primitives

/// `gemel simulate --seeds N [--seed S] [--jobs J]`
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the pair in the deterministic simulator: the same code, seeded faults, no sockets.")

    @Option(help: "How many seeds.") var seeds: UInt64 = 1
    @Option(help: "The first seed.") var seed: UInt64 = 1
    @Option(help: "Seeds side by side (default: the processors).") var jobs: Int?
    @Flag(help: "Print the trace.") var verbose = false
    @Option(help: .hidden) var planted: String?
    @OptionGroup var output: OutputOptions

    /// Turns a planted bug on; only the build that has them can (`make planted`).
    private func plant(_ name: String) throws {
        guard let bug = PlantedBug(rawValue: name) else {
            let names = PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("'\(name)' is no planted bug; there are \(names)")
        }
        #if PLANTED_BUGS
            Planted.selected = bug
        #else
            throw ValidationError("\(bug.rawValue) is not in this build; make planted has one that is")
        #endif
    }

    func validate() throws {
        guard seeds > 0, seeds <= 1_000_000_000, seed <= .max - seeds else {
            throw ValidationError("--seeds is from 1 to 1000000000")
        }
        if let jobs, !(1...256).contains(jobs) { throw ValidationError("--jobs is from 1 to 256") }
    }

    func run() throws {
        if let planted { try plant(planted) }
        let request = SimulationRequest(
            first: seed, count: seeds, jobs: jobs ?? max(1, ProcessInfo.processInfo.activeProcessorCount),
            verbose: verbose)
        let total = seeds
        let result = runSimulation(request) { done in
            if done % 1000 == 0, done < total { Console.complain("simulate: \(done) of \(total) seeds") }
        }
        switch output.output {
        case .json: try Console.sayJSON(result)
        case .text:
            for failure in result.failures {
                Console.say(failure.report)
            }
            Console.say("simulate: \(result.seeds) seeds, \(result.failures.count) violations")
        }
        if !result.failures.isEmpty { throw ExitCode(ExitStatus.refused.rawValue) }
    }
}
