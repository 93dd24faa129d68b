/// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS parameter data (SPC-4 §6.36): ABORT TASK, ABORT TASK SET, CLEAR TASK
/// SET, LOGICAL UNIT RESET and target reset, what every iSCSI initiator can ask for.
package enum TaskManagementFunctions {
    /// Appends the basic data, or with `extended` (REPD) the longer form with its time-outs (zero: none is known).
    package static func write(extended: Bool, to writer: inout ParameterWriter) {
        writer.put(0xDA)
        writer.put(big16: 0)
        writer.put(extended ? 12 : 0)
        if extended { writer.zeros(upTo: 16) }
    }
}
