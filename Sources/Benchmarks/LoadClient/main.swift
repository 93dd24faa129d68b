import Glibc

// gemel-load: an iSCSI load generator that checks what it reads. See `Options.usage`.

/// Writes a line to standard error.
func complain(_ line: String) {
    let text = line + "\n"
    _ = text.withCString { write(2, $0, strlen($0)) }
}

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.contains("--help") || arguments.contains("-h") {
    print(Options.usage)
    exit(0)
}
let options: Options
switch Options.parse(arguments) {
case .success(let parsed): options = parsed
case .failure(let error):
    complain("gemel-load: \(error.sentence)\n\n\(Options.usage)")
    exit(64)
}
var paths: [PathAddress] = []
for unit in options.addresses {
    guard let path = PathAddress(unit) else {
        complain("gemel-load: \(unit.host) has no address")
        exit(2)
    }
    paths.append(path)
}
signal(SIGPIPE, SIG_IGN)
signal(SIGTERM) { _ in stopRequested = 1 }
signal(SIGINT) { _ in stopRequested = 1 }

var generator = LoadGenerator(options, paths: paths)
let tally = generator.run()
for sentence in tally.complaints { complain("gemel-load: \(sentence)") }
if let failure = tally.failure { complain("gemel-load: \(failure)") }
if options.json { print(tally.json(options)) }
if !options.json && !options.quiet { print(tally.line(options)) }
exit(tally.exitCode)
