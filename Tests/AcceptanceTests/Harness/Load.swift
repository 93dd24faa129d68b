import Foundation

extension RunningArray {
    /// The client's table of acknowledged writes.
    var table: String { "\(folder)/acknowledged" }

    /// Starts a verifying load over the paths through `controllers`, the first one preferred.
    func startLoad(through controllers: [String], seconds: Double, options: [String] = []) throws -> Program {
        let words =
            [try Product.load(), "--json", "--verify", "--state", table, "--rw", "mix:30", "--qd", "16"]
            + ["--span", "32m", "--seconds", "\(seconds)", "--recover", "40", "--fail-over"] + options
        return try Program(words + controllers.map { url($0) }, folder: folder)
    }

    /// The end of a load: no error, no wrong byte.
    func finish(_ load: Program, seconds: Double) throws -> LoadResult {
        try Self.result(try load.wait(seconds: seconds))
    }

    /// Reads all that was ever acknowledged, through one controller.
    func check(through controller: String) throws -> LoadResult {
        let words = [
            try Product.load(), "--json", "--check", "--state", table, "--bs", "64k", "--qd", "8", "--recover", "40",
            url(controller),
        ]
        return try Self.result(try Program.run(words, folder: folder, seconds: 90))
    }

    private static func result(_ outcome: Program.Outcome) throws -> LoadResult {
        guard let line = outcome.output.split(separator: "\n").last(where: { $0.hasPrefix("{") }) else {
            throw Failure("gemel-load exited with \(outcome.status) and no figures: \(outcome.output)")
        }
        let result = try JSONDecoder().decode(LoadResult.self, from: Data(line.utf8))
        guard outcome.status == 0 else {
            throw Failure("gemel-load exited with \(outcome.status): \(outcome.output.suffix(3000))")
        }
        return result
    }
}
