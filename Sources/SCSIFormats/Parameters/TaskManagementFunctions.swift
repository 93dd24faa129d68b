/// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS parameter data (SPC-4 §6.36): ABORT TASK, ABORT TASK SET, CLEAR TASK
/// SET, LOGICAL UNIT RESET and target reset, what every iSCSI initiator can ask for; with `queries` (iSCSIProtocolLevel
/// 2, RFC 7144) QUERY TASK, QUERY TASK SET, QUERY ASYNCHRONOUS EVENT and I_T NEXUS RESET too.
package enum TaskManagementFunctions {
    /// Appends the basic data, or with `extended` (REPD) the longer form with its time-outs (zero: none is known).
    package static func write(extended: Bool, queries: Bool, to writer: inout ParameterWriter) {
        // ATS, ATSS, CTSS, LURS, TRS; QTS. QAES, QTSS, ITNRS.
        writer.put(queries ? 0xDE : 0xDA)
        writer.put(queries ? 0x07 : 0)
        writer.put(0)
        writer.put(extended ? 12 : 0)
        if extended { writer.zeros(upTo: 16) }
    }
}
