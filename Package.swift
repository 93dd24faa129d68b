// swift-tools-version: 6.2
// Gemel: a SCSI target emulator for storage controller pairs. The layers, top to bottom, are the order of the
// helpers below; a target may import only what its row names.
import PackageDescription

/// `GEMEL_FUZZ=1` instruments every module for libFuzzer and adds the program `gemel-fuzz` (`make fuzz`).
let isFuzzed = Context.environment["GEMEL_FUZZ"] == "1"
let sanitizers = ["-sanitize=fuzzer,address"]

/// `GEMEL_PLANTED_BUGS=1` makes the one build that can misbehave on purpose (`make planted`).
let planted: [SwiftSetting] =
    Context.environment["GEMEL_PLANTED_BUGS"] == "1" ? [.define("PLANTED_BUGS")] : []

let settings: [SwiftSetting] =
    planted + [
        .swiftLanguageMode(.v6),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
        // The layers are modules and the path of a command goes through all of them; and without the second flag each
        // file is optimised for itself.
        isFuzzed
            ? .unsafeFlags(sanitizers)
            : .unsafeFlags(
                ["-cross-module-optimization", "-Xfrontend", "-enable-single-module-llvm-emission"],
                .when(configuration: .release)),
    ]

/// A module of one layer: its sources stand in `Sources/NAME`, and it may import what `uses` names.
func module(_ name: String, uses: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: uses, swiftSettings: settings)
}

/// The tests of one module or one suite: `Tests/NAME`.
func tests(_ name: String, uses: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: uses, swiftSettings: settings)
}

let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let flyingFox: Target.Dependency = .product(name: "FlyingFox", package: "FlyingFox")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

/// System libraries and the header-only shim: no Swift here.
let foreign: [Target] = [
    .systemLibrary(name: "CISAL", providers: [.apt(["libisal-dev"])]),
    .systemLibrary(name: "CLibaio", providers: [.apt(["libaio-dev"])]),
    .systemLibrary(name: "CCrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CLinux"),
    .target(name: "CPrimitives"),
]
let base = [module("Primitives", uses: ["CISAL", "CPrimitives"])]
let waists = [
    module("SAM", uses: ["Primitives"]),
    module("BlockModel", uses: ["Primitives"]),
]
let formats = [
    module("SCSIFormats", uses: ["Primitives", "SAM"]),
    module("ISCSIFormats", uses: ["Primitives"]),
    module("PagingFormats", uses: ["Primitives", "BlockModel"]),
]
let engines = [
    module("ISCSITarget", uses: ["ISCSIFormats", "SAM", "Primitives"]),
    module("SCSITarget", uses: ["SCSIFormats", "SAM", "BlockModel", "Primitives"]),
    module("Memory", uses: ["PagingFormats", "BlockModel", "Primitives"]),
    module("CopyModule", uses: ["PagingFormats", "BlockModel", "Primitives"]),
    module("Pair", uses: ["PagingFormats", "BlockModel", "Primitives"]),
]
let engineNames: [Target.Dependency] = ["ISCSITarget", "SCSITarget", "Memory", "CopyModule", "Pair", "SCSIFormats"]
let waistNames: [Target.Dependency] = ["SAM", "BlockModel", "PagingFormats", "Primitives"]
let composition = [module("Controller", uses: engineNames + waistNames + ["ISCSIFormats"])]
let drivers = [
    module("Devices", uses: ["BlockModel", "Primitives", "CLibaio", "CLinux"]),
    module("Runtime", uses: ["Controller", "ISCSIFormats", "Devices", "CLinux", "CCrypto"] + waistNames),
    module("Simulation", uses: ["Controller", "ISCSIFormats", "SCSIFormats"] + waistNames),
    module("Configuration", uses: ["Controller", "BlockModel", "Primitives", yams]),
    module("Management", uses: ["Controller", "Primitives", "CLinux", flyingFox, logging]),
]
let programs: [Target] = [
    .executableTarget(
        name: "gemel",
        dependencies: [
            "Runtime", "Simulation", "Configuration", "Management", "Controller", "BlockModel", "Primitives", "CLinux",
            argumentParser, logging,
        ],
        swiftSettings: settings),
]
/// What measures the product: a load client, the limit that speed is compared with, a counter of allocations, and the
/// benchmark that runs them side by side. None of it is part of the product, and none imports a module of it.
let benchmarks: [Target] = [
    .executableTarget(
        name: "LoadClient", dependencies: ["CISAL", "CLinux"], path: "Sources/Benchmarks/LoadClient",
        swiftSettings: settings),
    .executableTarget(name: "CLimit", path: "Sources/Benchmarks/CLimit"),
    .target(name: "CCountMalloc", path: "Sources/Benchmarks/CCountMalloc"),
    .executableTarget(
        name: "Bench", dependencies: ["CLinux"], path: "Sources/Benchmarks/Bench", swiftSettings: settings),
]
let benchmarkProducts: [Product] = [
    .executable(name: "gemel-load", targets: ["LoadClient"]),
    .executable(name: "gemel-limit", targets: ["CLimit"]),
    .executable(name: "gemel-bench", targets: ["Bench"]),
    .library(name: "gemel-count-malloc", type: .dynamic, targets: ["CCountMalloc"]),
]
/// The fuzz targets: a module that tests replay the corpus with, and under `GEMEL_FUZZ=1` the program around it.
let fuzzing = [
    module("Fuzzing", uses: engineNames + waistNames + ["ISCSIFormats", "Configuration", "Controller", "Management"])
]
/// GNU gold fails on what AddressSanitizer emits, so the fuzzer is linked by lld.
let fuzzers: [Target] =
    isFuzzed
    ? [
        .target(name: "CFuzzer", path: "Sources/Fuzzer/CFuzzer"),
        .executableTarget(
            name: "Fuzzer", dependencies: ["CFuzzer", "Fuzzing"], path: "Sources/Fuzzer/Fuzzer",
            swiftSettings: settings, linkerSettings: [.unsafeFlags(sanitizers + ["-use-ld=lld"])]),
    ] : []
let fuzzProducts: [Product] = isFuzzed ? [.executable(name: "gemel-fuzz", targets: ["Fuzzer"])] : []
let suites = [
    tests("PrimitivesTests", uses: ["Primitives"]),
    tests("ISCSITargetTests", uses: ["ISCSITarget", "ISCSIFormats", "SAM", "Primitives", "Simulation"]),
    tests("SCSITargetTests", uses: ["SCSITarget", "SCSIFormats", "SAM", "BlockModel", "Primitives", "Simulation"]),
    tests("MemoryTests", uses: ["Memory", "CopyModule", "PagingFormats", "BlockModel", "Primitives"]),
    tests("PairTests", uses: ["Pair", "PagingFormats", "BlockModel", "Primitives"]),
    tests("ControllerTests", uses: ["Controller", "ISCSITarget", "SCSITarget", "Simulation"] + waistNames),
    tests("DevicesTests", uses: ["Devices", "BlockModel", "Primitives"]),
    tests("RuntimeTests", uses: ["Runtime", "Devices", "Controller", "ISCSIFormats"] + waistNames),
    tests("ConfigurationTests", uses: ["Configuration", "Controller", "BlockModel", "Primitives"]),
    tests("ManagementTests", uses: ["Management", "Controller", "Primitives"]),
    tests("SimulationTests", uses: ["Simulation", "Controller"] + waistNames),
    tests("ScenarioTests", uses: ["Simulation", "Controller"] + waistNames),
    tests("AcceptanceTests", uses: ["Configuration", "Primitives", "Simulation"]),
    tests("FuzzTests", uses: ["Fuzzing", "ISCSIFormats", "SAM", "Primitives"]),
    tests("TidyTests", uses: []),
]

let package = Package(
    name: "gemel",
    products: [.executable(name: "gemel", targets: ["gemel"])] + benchmarkProducts + fuzzProducts,
    dependencies: [
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: foreign + base + waists + formats + engines + composition + drivers + programs + benchmarks + fuzzing
        + fuzzers + suites
)
