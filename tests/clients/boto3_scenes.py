# What boto3 asks, and what AWS was recorded to answer. Ends with an error where an answer differs.
import io
import urllib.request
import zipfile

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

once = Config(retries={"max_attempts": 1, "mode": "standard"}, s3={"addressing_style": "path"})


def client(service="lambda", region="us-east-2", key="AKIDEXAMPLE", config=once):
    return boto3.client(service, region_name=region, aws_access_key_id=key, aws_secret_access_key="x", config=config)


def zipped(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(f"python/{name}.py")
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, text)
    return data.getvalue()


def refused(call, code, message, status, **words):
    try:
        call(**words)
    except ClientError as error:
        answer = error.response
        found = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
        assert found == (code, status), (found, answer)
        assert message in answer["Error"]["Message"], answer
        assert len(answer["ResponseMetadata"]["RequestId"]) == 36, answer
        return error
    raise AssertionError(f"not refused: {words}")


aws = client()
code = zipped(a="x = 1")

# Every member of an answer, present, empty or absent as on AWS.
empty = aws.publish_layer_version(
    LayerName="empty", Content={"ZipFile": code}, CompatibleRuntimes=[], CompatibleArchitectures=[]
)
assert empty["CompatibleRuntimes"] == [] and empty["CompatibleArchitectures"] == [] and empty["Description"] == ""
assert "LicenseInfo" not in empty and empty["ResponseMetadata"]["HTTPStatusCode"] == 201
plain = aws.publish_layer_version(LayerName="plain", Content={"ZipFile": code}, CompatibleRuntimes=["python3.12", "python3.11"])
assert "CompatibleArchitectures" not in plain and plain["CompatibleRuntimes"] == ["python3.12", "python3.11"]
with urllib.request.urlopen(plain["Content"]["Location"]) as download:
    assert download.read() == code

# By ARN, as SAM does, with colons in the path.
arn = plain["LayerArn"]
assert arn == "arn:aws:lambda:us-east-2:123456789012:layer:plain"
got = aws.get_layer_version(LayerName=arn, VersionNumber=1)
by_arn = aws.get_layer_version_by_arn(Arn=arn + ":1")
for answer in got, by_arn, plain:
    answer.pop("ResponseMetadata")
assert got == by_arn == plain, (got, plain)

# Errors by their class, as recorded against AWS.
e = aws.exceptions
for version in 0, -1:
    error = refused(
        aws.get_layer_version, "InvalidParameterValueException", "Layer Version Cannot be less than 1", 400,
        LayerName="plain", VersionNumber=version,
    )
    assert isinstance(error, e.InvalidParameterValueException)
missing = "The resource you requested does not exist."
error = refused(aws.get_layer_version, "ResourceNotFoundException", missing, 404, LayerName="plain", VersionNumber=2)
assert isinstance(error, e.ResourceNotFoundException) and error.response["Message"] == missing
refused(aws.get_layer_version_by_arn, "ResourceNotFoundException", missing, 404, Arn=arn + ":2")
refused(
    aws.get_layer_version_by_arn, "ValidationException",
    f"1 validation error detected: Value '{arn}' at 'arn' failed to satisfy constraint: Member must satisfy regular expression "
    r"pattern: (arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)"
    r"|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)", 400, Arn=arn,
)
refused(
    aws.list_layers, "ValidationException",
    "1 validation error detected: Value 'runtimedoesnotexist' at 'compatibleRuntime' failed to satisfy constraint: Member must "
    "satisfy enum value set: [", 400, CompatibleRuntime="runtimedoesnotexist",
)
refused(
    aws.list_layers, "ValidationException",
    "1 validation error detected: Value 'archdoesnotexist' at 'compatibleArchitecture' failed to satisfy constraint: Member must "
    "satisfy enum value set: [x86_64, arm64]", 400, CompatibleArchitecture="archdoesnotexist",
)
refused(aws.get_layer_version, "ValidationException", "Value 'bad/name x:y' at 'layerName'", 400, LayerName="bad/name x:y", VersionNumber=1)
refused(
    aws.publish_layer_version, "InvalidParameterValueException", "Could not unzip uploaded file.", 400,
    LayerName="plain", Content={"ZipFile": b"no zip at all, but long enough to be looked at"},
)
refused(
    aws.publish_layer_version, "ValidationException", "2 validation errors detected: Value '[invalidruntime]' at 'compatibleRuntimes'",
    400, LayerName="plain", Content={"ZipFile": code}, CompatibleRuntimes=["invalidruntime"], CompatibleArchitectures=["invalidarch"],
)
assert aws.list_layer_versions(LayerName="never")["LayerVersions"] == []

# Policies.
version = {"LayerName": "plain", "VersionNumber": 1}
allow = {"StatementId": "s1", "Action": "lambda:GetLayerVersion", "Principal": "*"}
refused(aws.get_layer_version_policy, "ResourceNotFoundException", "No policy is associated with the given resource.", 404, **version)
added = aws.add_layer_version_permission(**version, **allow, OrganizationId="o-t194hfs8cz")
assert added["ResponseMetadata"]["HTTPStatusCode"] == 201
error = refused(
    aws.add_layer_version_permission, "ResourceConflictException",
    "The statement id (s1) provided already exists. Please provide a new statement id, or remove the existing statement.", 409,
    **version, **allow,
)
assert isinstance(error, e.ResourceConflictException)
stale = "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id"
other = {**allow, "StatementId": "s2"}
error = refused(
    aws.add_layer_version_permission, "PreconditionFailedException", stale, 412, **version, **other, RevisionId="wrong"
)
assert isinstance(error, e.PreconditionFailedException)
refused(
    aws.add_layer_version_permission, "ValidationException",
    "1 validation error detected: Value '*' at 'action' failed to satisfy constraint: Member must satisfy regular expression "
    "pattern: lambda:GetLayerVersion", 400, **version, **{**other, "Action": "*"},
)
refused(
    aws.add_layer_version_permission, "ResourceNotFoundException", f"Layer version {arn}:2 does not exist.", 404,
    LayerName="plain", VersionNumber=2, **allow,
)
refused(
    aws.remove_layer_version_permission, "ResourceNotFoundException", "Statement never is not found in resource policy.", 404,
    **version, StatementId="never",
)
policy = aws.get_layer_version_policy(**version)
assert policy["RevisionId"] == added["RevisionId"]
assert policy["Policy"] == '{"Version":"2012-10-17","Id":"default","Statement":[' + added["Statement"] + "]}", policy

# Another account of the organization, told by its key, may use the version now, and may not change it.
neighbour = client(key="210987654321")
assert neighbour.get_layer_version(LayerName=arn, VersionNumber=1)["Version"] == 1
assert neighbour.list_layers()["Layers"] == []
refused(neighbour.delete_layer_version, "AccessDeniedException", "lambda:DeleteLayerVersion", 403, LayerName=arn, VersionNumber=1)
refused(
    neighbour.get_layer_version_by_arn, "AccessDeniedException", "because no resource-based policy allows the lambda:GetLayerVersion action",
    403, Arn=empty["LayerVersionArn"],
)
removed = aws.remove_layer_version_permission(**version, StatementId="s1", RevisionId=added["RevisionId"])
assert removed["ResponseMetadata"]["HTTPStatusCode"] == 204
refused(neighbour.get_layer_version, "AccessDeniedException", "is not authorized to perform", 403, LayerName=arn, VersionNumber=1)

# Regions are apart, and without a signature the server's own is meant.
paris = client(region="eu-west-3")
assert paris.list_layers()["Layers"] == []
refused(paris.get_layer_version_by_arn, "ResourceNotFoundException", "", 404, Arn=arn + ":1")
unsigned = client(config=once.merge(Config(signature_version=UNSIGNED)))
assert unsigned.list_layers()["Layers"] == []

# Pages: sixty layers and sixty versions, in order, each once; numbers are never given twice.
for number in range(60):
    aws.publish_layer_version(LayerName=f"page-{number:02}", Content={"ZipFile": code}, CompatibleRuntimes=["java21"])
    aws.publish_layer_version(LayerName="many", Content={"ZipFile": code}, CompatibleArchitectures=["arm64"])
first = aws.list_layers()
assert len(first["Layers"]) == 50 and first["NextMarker"]
for size in 7, 50:
    pages = aws.get_paginator("list_layers").paginate(CompatibleRuntime="java21", PaginationConfig={"PageSize": size})
    names = [layer["LayerName"] for page in pages for layer in page["Layers"]]
    assert names == [f"page-{number:02}" for number in range(60)], names
    pages = aws.get_paginator("list_layer_versions").paginate(LayerName="many", PaginationConfig={"PageSize": size})
    numbers = [version["Version"] for page in pages for version in page["LayerVersions"]]
    assert numbers == list(range(60, 0, -1)), numbers
assert [layer["LayerName"] for layer in aws.list_layers(CompatibleArchitecture="arm64")["Layers"]] == ["many"]
aws.delete_layer_version(LayerName="many", VersionNumber=60)
aws.delete_layer_version(LayerName="many", VersionNumber=60)
aws.delete_layer_version(LayerName="never", VersionNumber=1)
assert aws.publish_layer_version(LayerName="many", Content={"ZipFile": code})["Version"] == 61

# S3.
s3 = client("s3")
s3.create_bucket(Bucket="bkt", CreateBucketConfiguration={"LocationConstraint": "us-east-2"})
assert s3.head_bucket(Bucket="bkt")["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-2"
assert s3.get_bucket_location(Bucket="bkt")["LocationConstraint"] == "us-east-2"
key = "a b/ü+&?#%/layer.zip"
put = s3.put_object(Bucket="bkt", Key=key, Body=code, ContentType="application/zip")
got = s3.get_object(Bucket="bkt", Key=key)
assert got["Body"].read() == code and got["ContentType"] == "application/zip" and got["ETag"] == put["ETag"]
assert s3.get_object(Bucket="bkt", Key=key, Range="bytes=0-3")["Body"].read() == code[:4]
for number in range(25):
    s3.put_object(Bucket="bkt", Key=f"many/{number:02}", Body=b"x")
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="bkt", PaginationConfig={"PageSize": 10})
assert [item["Key"] for page in pages for item in page["Contents"]] == [key] + [f"many/{n:02}" for n in range(25)]
top = s3.list_objects_v2(Bucket="bkt", Delimiter="/")
assert [common["Prefix"] for common in top["CommonPrefixes"]] == ["a b/", "many/"] and top["KeyCount"] == 2
published = aws.publish_layer_version(LayerName="from-s3", Content={"S3Bucket": "bkt", "S3Key": key})
assert published["Content"]["CodeSha256"] == plain["Content"]["CodeSha256"]
refused(
    paris.publish_layer_version, "InvalidParameterValueException",
    "Error occurred while GetObject. S3 Error Code: PermanentRedirect. S3 Error Message: The bucket is in this region: us-east-2. "
    "Please use this region to retry the request", 400, LayerName="x", Content={"S3Bucket": "bkt", "S3Key": key},
)
upload = s3.create_multipart_upload(Bucket="bkt", Key="parts")["UploadId"]
part = s3.upload_part(Bucket="bkt", Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * 100)
for wrong in [{"PartNumber": 1, "ETag": '"' + "0" * 32 + '"'}], [{"PartNumber": 2, "ETag": part["ETag"]}]:
    try:
        s3.complete_multipart_upload(Bucket="bkt", Key="parts", UploadId=upload, MultipartUpload={"Parts": wrong})
        raise AssertionError("completed")
    except ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidPart", error
s3.abort_multipart_upload(Bucket="bkt", Key="parts", UploadId=upload)
for call, code_, words in [
    (s3.abort_multipart_upload, "NoSuchUpload", {"Bucket": "bkt", "Key": "parts", "UploadId": upload}),
    (s3.get_object, "NoSuchKey", {"Bucket": "bkt", "Key": "parts"}),
    (s3.head_object, "404", {"Bucket": "bkt", "Key": "parts"}),
    (s3.list_objects_v2, "NoSuchBucket", {"Bucket": "never"}),
    (s3.create_bucket, "BucketAlreadyOwnedByYou", {"Bucket": "bkt", "CreateBucketConfiguration": {"LocationConstraint": "us-east-2"}}),
    (s3.delete_bucket, "BucketNotEmpty", {"Bucket": "bkt"}),
]:
    try:
        call(**words)
        raise AssertionError(code_)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code_, error

# Functions.
role = "arn:aws:iam::123456789012:role/lambda-role"
base = {"Runtime": "python3.12", "Role": role, "Handler": "index.handler"}
made = aws.create_function(FunctionName="f", Code={"ZipFile": code}, Layers=[plain["LayerVersionArn"]], Tags={"a": "b"}, **base)
assert made["ResponseMetadata"]["HTTPStatusCode"] == 201 and made["Layers"] == [{"Arn": arn + ":1", "CodeSize": len(code)}]
for waiter in "function_exists", "function_active", "function_active_v2", "function_updated", "function_updated_v2":
    aws.get_waiter(waiter).wait(FunctionName="f", WaiterConfig={"Delay": 1, "MaxAttempts": 2})
error = refused(
    aws.create_function, "ResourceConflictException", "Function already exist: f", 409, FunctionName="f", Code={"ZipFile": code}, **base
)
assert isinstance(error, e.ResourceConflictException)
function = aws.get_function(FunctionName=made["FunctionArn"])
assert function["Tags"] == {"a": "b"}
with urllib.request.urlopen(function["Code"]["Location"]) as download:
    assert download.read() == code
for layers_, message in [
    ([arn + ":1"] * 6, "Cannot reference more than 5 layers."),
    ([arn + ":9"], f"Layer version {arn}:9 does not exist."),
    ([arn + ":1"] * 2, "Two different versions of the same layer are not allowed to be referenced in the same function."),
]:
    refused(
        aws.update_function_configuration, "InvalidParameterValueException", message, 400, FunctionName="f", Layers=layers_
    )
updated = aws.update_function_configuration(FunctionName="f", Timeout=10, Environment={"Variables": {"AB": "c"}})
assert updated["Timeout"] == 10 and updated["Layers"] and updated["Environment"] == {"Variables": {"AB": "c"}}
error = refused(
    aws.update_function_configuration, "PreconditionFailedException",
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest "
    "Revision Id", 412, FunctionName="f", RevisionId="wrong",
)
other_code = zipped(b="y = 2")
recoded = aws.update_function_code(FunctionName="f", ZipFile=other_code, Publish=True)
assert recoded["Version"] == "1" and recoded["CodeSize"] == len(other_code)
recoded = aws.update_function_code(FunctionName="f", S3Bucket="bkt", S3Key=key)
assert recoded["CodeSha256"] == plain["Content"]["CodeSha256"]
assert aws.publish_version(FunctionName="f")["Version"] == "2"
listed = aws.list_versions_by_function(FunctionName="f")["Versions"]
assert [version["Version"] for version in listed] == ["$LATEST", "1", "2"]
got = aws.get_function_configuration(FunctionName="f", Qualifier="1")
assert got["FunctionArn"].endswith(":f:1") and got["CodeSize"] == len(other_code)
for number in range(55):
    aws.create_function(FunctionName=f"g{number:02}", Code={"ZipFile": code}, **base)
pages = aws.get_paginator("list_functions").paginate()
names = [function["FunctionName"] for page in pages for function in page["Functions"]]
assert names == ["f"] + [f"g{number:02}" for number in range(55)], names
everything = aws.get_paginator("list_functions").paginate(FunctionVersion="ALL")
assert sum(len(page["Functions"]) for page in everything) == 58
usage = aws.get_account_settings()
assert usage["AccountUsage"]["FunctionCount"] == 56 and usage["AccountLimit"]["CodeSizeZipped"] == 52428800
aws.tag_resource(Resource=made["FunctionArn"], Tags={"c": "d", "x": "y"})
aws.untag_resource(Resource=made["FunctionArn"], TagKeys=["a", "x"])
assert aws.list_tags(Resource=made["FunctionArn"])["Tags"] == {"c": "d"}
# What a function has, it keeps.
aws.delete_layer_version(LayerName="plain", VersionNumber=1)
assert aws.get_function_configuration(FunctionName="f")["Layers"] == [{"Arn": arn + ":1", "CodeSize": len(code)}]
refused(aws.invoke, "UnsupportedOperationException", "optfs run --function f -- COMMAND", 400, FunctionName="f")
aws.delete_function(FunctionName="f")
error = refused(
    aws.get_function, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-2:123456789012:function:f", 404,
    FunctionName="f",
)
refused(
    aws.get_function, "ResourceNotFoundException", "Functions from 'eu-west-3' are not reachable in this region ('us-east-2')", 404,
    FunctionName="arn:aws:lambda:eu-west-3:123456789012:function:f",
)
refused(aws.create_function, "ValidationException", "at 'role' failed to satisfy constraint", 400, FunctionName="h", Code={"ZipFile": code}, **{**base, "Role": "r1"})
refused(aws.create_function, "InvalidParameterValueException", "Please provide a source for function code.", 400, FunctionName="h", Code={}, **base)
print("all well")
