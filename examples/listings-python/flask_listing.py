# The Flask service of README.md, as it was written; only two imports are added: of what it calls, and of
# Flask's request, which it uses and does not import. flask_app.py serves it.
from flask import request
from helpers import complex_algorithm

# Standard Python development with CCF extensions
from flask import Flask
import ccf

app = Flask(__name__)

@app.route('/secure-compute', methods=['POST'])
def secure_computation():
    try:
        # Access encrypted storage
        data = ccf.kv['sensitive_data'].get(request.json['key'])
        
        # Perform computation in TEE
        result = complex_algorithm(data)
        
        # Store result with proof
        ccf.kv['results'][result['id']] = result
        
        return {
            'success': True,
            'attestation': ccf.get_attestation()
        }
    except Exception as e:
        # Secure error handling
        return {'error': 'Computation failed', 'details': None}
