-- parameters: as named
insert into events (stream_id, version, commit_id, ordinal, id, type, schema, data, metadata)
values ($stream_id, $version, $commit_id, $ordinal, $id, $type, $schema, $data, $metadata)
