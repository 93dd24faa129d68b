/// What is fuzzed: each target turns any bytes into one story told to an engine or a reader, and says what of it did
/// not end as it must. The raw value is the name of its folder in `fixtures/corpus`.
package enum FuzzTarget: String, CaseIterable, Sendable {
    /// The login phase: text and PDUs from a stranger.
    case login
    /// PDUs after a login, with a device server behind them.
    case session
    /// CDBs and parameter lists straight to the device server, with hostile state blocks.
    case commands
    /// Handshake and frames of the channel between the controllers.
    case channel
    /// Paging messages of a partner that lies.
    case paging
    /// The text of a configuration.
    case configuration
    /// Requests of the management API.
    case management
    /// Formats: what is written is read back as it was, and what was read is written as it came.
    case codecs

    /// Tells the story of `bytes`; nil when everything ended as it must.
    package func run(_ bytes: UnsafeRawBufferPointer) -> String? {
        let oracle = Oracle()
        var input = FuzzInput(bytes)
        switch self {
        case .login: LoginTarget(oracle).run(&input)
        case .session: SessionTarget(oracle, &input).run(&input)
        case .commands: CommandsTarget(oracle, &input).run(&input)
        case .channel: ChannelTarget(oracle, &input).run(&input)
        case .paging: PagingTarget(oracle, &input).run(&input)
        case .configuration: ConfigurationTarget.run(bytes, oracle)
        case .management: ManagementTarget.run(&input, oracle)
        case .codecs: CodecsTarget.run(&input, oracle)
        }
        return oracle.failure
    }

    /// The same for bytes in an array.
    package func run(_ bytes: [UInt8]) -> String? { bytes.withUnsafeBytes { run($0) } }
}
