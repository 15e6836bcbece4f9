"""What boto3 makes of the API of the emulator at sys.argv[1], as one JSON line a call: Invoke, or the operation that it names."""
import base64
import json
import sys

import boto3

client = boto3.client("lambda", endpoint_url=sys.argv[1], region_name="us-east-1")


def call(operation="invoke", **arguments):
    if "Code" in arguments:
        arguments["Code"]["ZipFile"] = base64.b64decode(arguments["Code"]["ZipFile"])
    try:
        answer = getattr(client, operation)(**arguments)
    except client.exceptions.ResourceNotFoundException as error:
        return {"error": "ResourceNotFoundException", "status": error.response["ResponseMetadata"]["HTTPStatusCode"]}
    except client.exceptions.ClientError as error:
        return {"error": error.response["Error"]["Code"]}
    if operation != "invoke":
        return json.loads(json.dumps(answer, default=str))
    known = {name: answer[name] for name in ("StatusCode", "FunctionError", "ExecutedVersion") if name in answer}
    return known | {"Payload": answer["Payload"].read().decode()}


for arguments in json.load(sys.stdin):
    print(json.dumps(call(**arguments)))
