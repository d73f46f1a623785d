// The two listings of README.md, as they were written; only this import is added. What they call and do
// not define is in helpers.ts, the endpoints around them are in app.ts.
import { generateComplianceProof, privateKey, processData, validateTransaction } from "./helpers.js";

// Example CCF JavaScript application structure
export function handleRequest(request) {
    // Access to CCF KV store
    const store = ccf.kv["app_data"];
    
    // Cryptographic operations within TEE
    const signature = ccf.crypto.sign(request.data, privateKey);
    
    // Network operations with attestation
    return {
        statusCode: 200,
        body: {
            result: processData(request.data),
            signature: signature,
            attestation: ccf.getAttestation()
        }
    };
}

// Custom ledger application for financial reconciliation
export function processTransaction(request) {
    const ledger = ccf.kv["transactions"];
    const transaction = JSON.parse(request.body);
    
    // Validate transaction within TEE
    if (validateTransaction(transaction)) {
        // Store in encrypted ledger
        ledger.set(transaction.id, transaction);
        
        // Generate compliance proof
        const proof = generateComplianceProof(transaction);
        return { success: true, proof: proof };
    }
    
    return { success: false, error: "Invalid transaction" };
}
