import Primitives

// The waist between a transport and the SCSI device server: SAM-6 §5.4's transport protocol services by their names.
//
// Life of a command: the transport says `commandReceived` and lends the handle's slot (with its parameter page, page
// list and block operation) to the device server, until the device server's last word about the handle:
//   * `sendCommandComplete`, or
//   * `sendDataIn` with `final` true, after the transport has answered `dataInDelivered`, or
//   * `commandEnded`, which it says for a command that was lost or aborted.
// After `commandLost` the transport ignores every other word about the handle and waits for `commandEnded`.

/// What a transport tells the device server: indications and confirmations.
@usableFromInline
package enum TransportIndication {
    /// A session reached its full-feature phase.
    case nexusEstablished(NexusIndex, NexusIdentity)
    /// I_T nexus loss (SAM-6 §6.3.4): `commandLost` came before for each of its commands.
    case nexusLost(NexusIndex)
    /// SCSI Command Received.
    case commandReceived(SCSICommand)
    /// Data-Out Received: all bytes of the last `receiveDataOut` have been placed. Fewer can come only when the
    /// initiator offered fewer (`dataOutLength`), which the device server knows.
    case dataOutReceived(CommandHandle)
    /// Data-In Delivered: the bytes of the last `sendDataIn` have left memory; its pages may go.
    case dataInDelivered(CommandHandle)
    /// The command's connection is gone: it ends without a response, and without effect when it has had none yet.
    case commandLost(CommandHandle)
    /// Task Management Request Received.
    case taskManagementRequestReceived(TaskManagementRequest)
}

/// What the device server asks of a transport: requests and responses.
@usableFromInline
package enum TransportRequest {
    /// Send Data-In: `run` is the part of the initiator's buffer that begins at `bufferOffset`. At most one is
    /// outstanding a command. With `final`, the command completes with GOOD after it (the transport may collapse the
    /// status into the last Data-In PDU). `total`: see `sendCommandComplete`. Bytes beyond what the initiator
    /// expects (`dataInLength`) are not sent, and count as residual overflow.
    case sendDataIn(CommandHandle, run: PageRun, bufferOffset: UInt32, final: Bool, total: UInt32)
    /// Receive Data-Out: place the initiator's bytes from `bufferOffset` on in `run`, by immediate, unsolicited and
    /// solicited data as negotiated. At most one is outstanding a command; offsets go up without gaps.
    case receiveDataOut(CommandHandle, run: PageRun, bufferOffset: UInt32)
    /// Send Command Complete. `sense` is in the command's parameter page (count 0: none) and is copied before the
    /// call returns. `total` is how many bytes the command transfers by its CDB, in its one direction; the transport
    /// derives the residual from it and the expected length.
    case sendCommandComplete(CommandHandle, Status, sense: PageRun, total: UInt32)
    /// The device server has let go of a lost or aborted command; no response is sent for it.
    case commandEnded(CommandHandle)
    /// Task Management Function Executed.
    case taskManagementFunctionExecuted(request: UInt16, ServiceResponse)
}
