# tests/e2e/clients/post.rb - posts one request by Ruby's Net::HTTP, as post.py does.
require 'json'
require 'net/http'
require 'openssl'

job = JSON.parse($stdin.read)
uri = URI(job['url'])
http = Net::HTTP.new(uri.host, uri.port)
http.use_ssl = true
http.cert_store = OpenSSL::X509::Store.new.add_cert(OpenSSL::X509::Certificate.new(job['ca']))
reply = http.post(uri.path, job['body'], job['headers'])
puts JSON.generate({ status: reply.code.to_i, length: reply.body.bytesize })
